"""Mastering: the gain of a programme, from the measured loudness of its blocks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from koebin.engine.audio.gain import Gain, plan_gain
from koebin.engine.audio.limiter import Limiter
from koebin.engine.audio.loudness import Loudness, Section, read_together
from koebin.tasks.assembly.programme.deliverables import Deliverables

FloatArray = NDArray[np.float32]

STEP_DB: Final = 0.1
"""Gains for a loudness target are rounded to steps, so that one changed sentence does not change every sample."""
_TOLERANCE_LU = 0.1
_CORRECTIONS = 3
_PIECE = 1 << 16


@dataclass(frozen=True, slots=True)
class Master:
    """Gain and limiter that apply to every sample of a programme.

    Attributes:
        measured: the programme as it was spoken.
        gain: planned from that; with a limiter, corrected for the limiter's own loss.
        ceiling_dbtp: of the limiter.
    """

    measured: Loudness
    gain: Gain
    ceiling_dbtp: float

    def limits(self, section: Section) -> bool:
        """Whether the limiter changes a block of this loudness."""
        return bool(self.gain.limited_db) and section.louder(self.gain.db).peak > 10.0 ** (self.ceiling_dbtp / 20.0)

    def decisive(self, section: Section) -> tuple[float, ...]:
        """Everything that decides the finished samples of a block of this loudness."""
        return (self.gain.db, self.ceiling_dbtp) if self.limits(section) else (self.gain.db,)

    def apply(self, samples: FloatArray, section: Section, sample_rate_hz: int) -> FloatArray:
        """Finished samples of a block, as many as went in; its neighbours count as silent."""
        louder = samples * np.float32(10.0 ** (self.gain.db / 20.0)) if self.gain.db else samples
        if not self.limits(section):
            return louder
        limiter = Limiter(sample_rate_hz, self.ceiling_dbtp)
        pieces = [limiter.process(louder[first : first + _PIECE]) for first in range(0, len(louder), _PIECE)]
        return np.concatenate([*pieces, limiter.flush()])


def plan_master(
    sections: Sequence[Section],
    wanted: Deliverables,
    mastered: Callable[[Master, Sequence[Section]], Iterable[Section]],
) -> tuple[Master, Loudness]:
    """Gain for the loudness target, and the loudness it achieves.

    Where a limiter must work, the gain makes up for the limiter's loss.

    Args:
        mastered: measures all blocks under a given master.
    """
    measured, ceiling = read_together(sections), wanted.true_peak_dbtp
    target = wanted.loudness_lufs
    gain = plan_gain(measured, target, ceiling)
    if target is None:
        return _achieved(Master(measured, gain, ceiling), sections, mastered)
    gain = _changed(gain, _in_steps(gain.db) - gain.db)
    for _ in range(_CORRECTIONS):
        master, achieved = _achieved(Master(measured, gain, ceiling), sections, mastered)
        missing = target - achieved.integrated_lufs
        if not gain.limited_db or abs(missing) <= _TOLERANCE_LU:
            return master, achieved
        gain = _changed(gain, _in_steps(missing))
    return _achieved(Master(measured, gain, ceiling), sections, mastered)


def _achieved(
    master: Master, sections: Sequence[Section], mastered: Callable[[Master, Sequence[Section]], Iterable[Section]]
) -> tuple[Master, Loudness]:
    return master, read_together(mastered(master, sections))


def _in_steps(db: float) -> float:
    return round(round(db / STEP_DB) * STEP_DB, 3)


def _changed(gain: Gain, db: float) -> Gain:
    limited = max(0.0, gain.limited_db + db) if gain.limited_db else 0.0
    return Gain(round(gain.db + db, 3), limited, gain.overshoot_db)
