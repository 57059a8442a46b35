"""Threads that help a long utterance while fewer utterances are spoken than the machine has room for."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
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
        self._pool = ThreadPoolExecutor(threads - 1, "koebin-idle") if threads > 1 else None

    @contextmanager
    def caller(self) -> Iterator[None]:
        """Around everything that a caller computes."""
        self._claim(1)
        try:
            yield
        finally:
            self._release(1)

    def each(self, work: Callable[[Item], None], items: Sequence[Item]) -> None:
        """Do the work for every item, on the caller's thread and on those that are idle now.

        Raises:
            Whatever the first item that failed raised, once nobody works on the others any more.
        """
        waiting = iter(items)
        taking = threading.Lock()

        def take() -> Item | None:
            with taking:
                return next(waiting, None)

        def work_off() -> None:
            while (item := take()) is not None:
                work(item)

        helpers = self._claim_idle(len(items) - 1)
        try:
            futures = [self._pool.submit(work_off) for _ in range(helpers)] if self._pool else []
            try:
                work_off()
            finally:
                errors = [future.exception() for future in futures]
            for error in errors:
                if error is not None:
                    raise error
        finally:
            self._release(helpers)

    def close(self) -> None:
        """End the helpers."""
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)

    def _claim(self, count: int) -> None:
        with self._lock:
            self._working += count

    def _claim_idle(self, most: int) -> int:
        with self._lock:
            found = max(0, min(most, self.threads - self._working))
            self._working += found
            return found

    def _release(self, count: int) -> None:
        with self._lock:
            self._working -= count
