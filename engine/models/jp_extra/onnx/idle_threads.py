"""Threads that help a long utterance while fewer utterances are spoken than the machine has room for."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

Item = TypeVar("Item")


class IdleThreads:
    """At most ``threads`` work: each caller on its own thread, and helpers on those that no caller has.

    One serves all voices of an engine: what one of them speaks leaves no core idle for another. Who computes an item
    changes nothing about it: results may not depend on how busy the machine is.
    """

    def __init__(self, threads: int) -> None:
        self.threads = threads
        self._working = 0
        self._lock = threading.Lock()
        self._pool = ThreadPoolExecutor(max(1, threads - 1), "koebin-idle")  # starts none before it is needed

    @contextmanager
    def caller(self) -> Iterator[None]:
        """Around everything that a caller computes."""
        with self._lock:
            self._working += 1
        try:
            yield
        finally:
            self._release()

    def each(self, work: Callable[[Item], None], items: Sequence[Item]) -> None:
        """Do the work for every item, on the caller's thread and on those that are idle.

        A thread that becomes idle meanwhile is asked when the next item is begun.

        Raises:
            Whatever the first item that failed raised, once nobody works on the others any more.
        """
        waiting, taking = deque(items), threading.Lock()
        helpers: deque[Future[None]] = deque()

        def work_off() -> None:
            while True:
                with taking:
                    if not waiting:
                        return
                    item = waiting.popleft()
                    if waiting and self._claim_idle():
                        helpers.append(self._pool.submit(help_out))
                work(item)

        def help_out() -> None:
            try:
                work_off()
            finally:
                self._release()

        errors: list[BaseException | None] = []
        try:
            work_off()
        finally:
            while helpers:  # one may have asked for another
                errors.append(helpers.popleft().exception())
        for error in errors:
            if error is not None:
                raise error

    def close(self) -> None:
        """End the helpers."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _claim_idle(self) -> bool:
        with self._lock:
            idle = self._working < self.threads
            self._working += idle
            return idle

    def _release(self) -> None:
        with self._lock:
            self._working -= 1
