"""What a worker tells of its tasks, to whoever keeps count: ``koebin.worker.child.metrics`` where it is switched on."""

from __future__ import annotations

from koebin.engine.observer import Observer as EngineObserver


class Observer(EngineObserver):
    """Is told of what a task did; this one forgets it.

    Micro-batches tell ``batch("texts", size, most)``; padded batches of a GPU tell ``batch("utterances", …)``.
    """

    def segments(self, speaker: str, *, rendered: int = 0, reused: int = 0, dead: int = 0) -> None:
        """What became of a task's segments: made, found in the store, given up."""

    def spoken(self, speaker: str, audio_seconds: float, wall_seconds: float) -> None:
        """So much audio was made in so much time; reused segments count in neither."""

    def error(self, error: BaseException) -> None:
        """A segment or a task met it, whether it was tried again or not."""

    def retry(self, task: str) -> None:
        """A task was put off, to be tried again."""
