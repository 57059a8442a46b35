"""Observer interface for a worker's tasks; ``koebin.worker.child.metrics`` implements it."""

from __future__ import annotations

from koebin.engine.observer import Observer as EngineObserver


class Observer(EngineObserver):
    """Observer that ignores everything it is told.

    Micro-batches report ``batch("texts", size, most)``; padded batches of a GPU report ``batch("utterances", …)``.
    """

    def segments(self, speaker: str, *, rendered: int = 0, reused: int = 0, dead: int = 0) -> None:
        """Outcome of a task's segments: rendered, found in the store, dead."""

    def spoken(self, speaker: str, audio_seconds: float, wall_seconds: float) -> None:
        """Seconds of rendered audio and of wall time; reused segments count in neither."""

    def error(self, error: BaseException) -> None:
        """Error of a segment or a task, retried or not."""

    def retry(self, task: str) -> None:
        """Task delayed for a retry."""
