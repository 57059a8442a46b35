"""Helper threads for a long utterance, while fewer utterances are spoken than there are cores."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

Item = TypeVar("Item")


class IdleThreads:
    """Thread pool of at most ``threads``: each caller on its own thread, and helpers for the rest.

    One serves all voices of an engine: what one of them speaks leaves no core idle for another. Who computes an item
    changes nothing about it: results may not depend on how busy the machine is.
    """

    def __init__(self, threads: int) -> None:
        self.threads = threads
        self._working = 0
        self._lock = threading.Lock()
        self._pool = ThreadPoolExecutor(max(1, threads - 1), "koebin-idle")  # starts threads on demand only

    @contextmanager
    def caller(self) -> Iterator[None]:
        """Context around everything that a caller computes."""
        with self._lock:
            self._working += 1
        try:
            yield
        finally:
            self._release()

    def each(self, work: Callable[[Item], None], items: Sequence[Item]) -> None:
        """Process every item, on the caller's thread and on idle ones.

        A thread that becomes idle meanwhile is asked when the next item is begun.

        Raises:
            The error of the first failed item, once no thread works on the others any more.
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
            while helpers:  # a helper may have requested another
                errors.append(helpers.popleft().exception())
        for error in errors:
            if error is not None:
                raise error

    def close(self) -> None:
        """End the helper threads."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _claim_idle(self) -> bool:
        with self._lock:
            idle = self._working < self.threads
            self._working += idle
            return idle

    def _release(self) -> None:
        with self._lock:
            self._working -= 1
