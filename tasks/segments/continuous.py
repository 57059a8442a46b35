"""Stored sentences as one continuous sound, each part of which is given as soon as it is certain."""

from __future__ import annotations

from typing import TYPE_CHECKING

from koebin.engine.audio.silence import KEPT_SECONDS
from koebin.tasks.segments.joints import Ends, meet

if TYPE_CHECKING:
    from koebin.engine.audio.audio import Audio, FloatArray


class Continuous:
    """Joins sentences as ``koebin.synthesize`` does, without waiting for the last of them.

    Of a sentence only the silence at its end is held back: how much of it stays follows from the next sentence.
    """

    def __init__(self) -> None:
        self._rate = 0
        self._held: FloatArray | None = None
        self._ends: Ends | None = None
        self._pause = 0.0

    def add(self, audio: Audio, pause: float) -> FloatArray:
        """The samples that are certain once this sentence is there.

        Args:
            audio: the next sentence; brought to the rate of the first.
            pause: seconds of silence wanted between it and the one after it.
        """
        import numpy as np

        self._rate = self._rate or audio.sample_rate_hz
        audio = audio.resampled(self._rate)
        ends = Ends.of(audio.marks, audio.duration_seconds)
        tail, head, silence = meet(self._ends, ends, self._pause) if self._ends else (0.0, 0.0, 0.0)
        before = [] if self._held is None else [self._held[: len(self._held) - round(tail * self._rate)]]
        samples = audio.samples[round(head * self._rate) :]
        certain = (
            len(samples) - round(max(0.0, ends.after - KEPT_SECONDS) * self._rate) if ends.spoken else len(samples)
        )
        certain = max(0, certain)
        self._held, self._ends, self._pause = samples[certain:], ends, pause
        joined: FloatArray = np.concatenate(
            [*before, np.zeros(round(silence * self._rate), np.float32), samples[:certain]]
        )
        return joined

    def finish(self) -> FloatArray:
        """What is left after the last sentence."""
        import numpy as np

        held, self._held = self._held, None
        return np.zeros(0, np.float32) if held is None else held

    @property
    def sample_rate_hz(self) -> int:
        """Of the sound; 0 before the first sentence."""
        return self._rate
