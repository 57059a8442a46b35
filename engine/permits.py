"""Permits to compute: so many threads of one speaker at once, and beside them what was left running."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import CancelledError
from contextlib import contextmanager
from dataclasses import dataclass

from koebin.engine.niceness import go_behind


@dataclass(eq=False, slots=True)
class Errand:
    """One sentence's way through the model, which may be stopped, or left to end by itself.

    Its attributes change under the lock of the permits, and are for them alone.

    Attributes:
        waits: also for what others have left; False goes past that.
        thread: the system's number of the one that has begun it.
        begun: it has had a permit.
        holds: it has one now.
        stopped: it gets no further permit.
        left: its permit counts as nobody's.
    """

    waits: bool = False
    thread: int = 0
    begun: bool = False
    holds: bool = False
    stopped: bool = False
    left: bool = False


class Permits:
    """Permits for ``limit`` threads at once. What is left running takes none from those who go past it."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._held = 0
        self._left = 0
        self._changed = threading.Condition()

    @contextmanager
    def hold(self, errand: Errand) -> Iterator[None]:
        """Context with a permit. Raises: CancelledError: the errand is stopped."""
        with self._changed:
            self._changed.wait_for(lambda: errand.stopped or self._is_free(errand))
            if errand.stopped:
                raise CancelledError
            errand.begun = errand.holds = True
            errand.thread = threading.get_native_id()
            self._count(errand, 1)
        try:
            yield
        finally:
            with self._changed:
                errand.holds = False
                self._count(errand, -1)
                self._changed.notify_all()

    def stop(self, errand: Errand) -> None:
        """End an errand at its next permit, unless it was left."""
        with self._changed:
            errand.stopped = not errand.left
            self._changed.notify_all()

    def leave(self, errand: Errand) -> bool:
        """Let an errand run on beside and behind all others; False if it has not begun, and is stopped instead."""
        with self._changed:
            if errand.begun and not errand.left:
                self._count(errand, -errand.holds)
                errand.left = True
                self._count(errand, +errand.holds)
                go_behind(errand.thread)
            errand.stopped = not errand.left
            self._changed.notify_all()
            return errand.left

    def _is_free(self, errand: Errand) -> bool:
        return self._held + (self._left if errand.waits or errand.left else 0) < self._limit

    def _count(self, errand: Errand, change: int) -> None:
        if errand.left:
            self._left += change
        else:
            self._held += change
