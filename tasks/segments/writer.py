"""Segment writer: encodes and stores segments in the background while the next ones are rendered."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

from koebin.engine.errors import GiveBack
from koebin.tasks.segments import store as segments
from koebin.tasks.stores.base import Store

if TYPE_CHECKING:
    from koebin.engine.audio.audio import Audio

AHEAD: Final = 8
"""Most rendered segments that wait for the store; it bounds their memory."""
_THREADS: Final = 4


class SegmentWriter:
    """Background writer of a chunk's segments, in their order of rendering, a few at a time.

    Use as a context: its end waits until everything is stored, also when the chunk is given back; after another
    exception until what had begun is.

    Args:
        on_stored: called for each segment as soon as it is stored, from any thread.
        ahead: most segments in flight while the caller goes on; 0 stores each before ``add`` returns.

    Attributes:
        added: segments so far.
    """

    def __init__(self, store: Store, on_stored: Callable[[Audio], None], ahead: int = AHEAD) -> None:
        self._store = store
        self._on_stored = on_stored
        self._ahead = ahead
        self._waiting: deque[Future[None]] = deque()
        self.added = 0
        self._pool = ThreadPoolExecutor(_THREADS, "koebin-store")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None or kind is GiveBack:
                self._wait(0)
        finally:
            self._pool.shutdown(cancel_futures=True)

    def add(self, key: str, audio: Audio) -> None:
        """Add the next segment. Raises: the error of storing it, or one before it."""
        self.added += 1
        self._waiting.append(self._pool.submit(self._write, key, audio))
        self._wait(self._ahead)

    def _write(self, key: str, audio: Audio) -> None:
        segments.write(self._store, key, audio)
        self._on_stored(audio)

    def _wait(self, most: int) -> None:
        """Wait while more than ``most`` are in flight; raise errors of finished ones."""
        while self._waiting and (len(self._waiting) > most or self._waiting[0].done()):
            self._waiting.popleft().result()
