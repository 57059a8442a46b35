"""Answers of a server spoken lately: a chunk that is tried again asks for nothing that was made but not stored."""

from __future__ import annotations

import threading
from collections import OrderedDict

from koebin.engine.models.base import Rendering


class Recent:
    """Renderings by key, the oldest leave first. Any thread may use it.

    Args:
        most_bytes: of samples that are kept.
    """

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._kept: OrderedDict[str, Rendering] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    def get(self, key: str) -> Rendering | None:
        """The rendering of a key; None if it is not kept."""
        with self._lock:
            return self._kept.get(key)

    def add(self, key: str, rendering: Rendering) -> None:
        """Keep a rendering, unless it alone is too large."""
        with self._lock:
            old = self._kept.pop(key, None)
            self._bytes += rendering.samples.nbytes - (old.samples.nbytes if old else 0)
            self._kept[key] = rendering
            while self._bytes > self._most_bytes:
                self._bytes -= self._kept.popitem(last=False)[1].samples.nbytes

    def clear(self) -> None:
        """Forget all."""
        with self._lock:
            self._kept.clear()
            self._bytes = 0
