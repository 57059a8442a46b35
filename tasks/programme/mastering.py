"""The gain of a programme: measured in one pass, applied in the next."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.limiter import Limiter
from engine.loudness import Gain, Loudness, LoudnessMeter, plan_gain
from tasks.programme.parts import Deliverables, Parts
from tasks.programme.spool import Spool, silence
from tasks.programme.timeline import Timeline

FloatArray = NDArray[np.float32]

_TOLERANCE_LU = 0.1
_CORRECTIONS = 3


@dataclass(frozen=True, slots=True)
class Master:
    """What is done to every sample of a programme.

    Attributes:
        measured: the programme as it was spoken.
        gain: as planned from that; with a limiter, corrected for what the limiter takes away.
        ceiling_dbtp: of the limiter.
    """

    measured: Loudness
    gain: Gain
    ceiling_dbtp: float

    def apply(self, blocks: Iterable[FloatArray], sample_rate_hz: int) -> Iterator[FloatArray]:
        """The finished sound: as many samples as went in, in other blocks where the limiter looks ahead."""
        factor = np.float32(10.0 ** (self.gain.db / 20.0))
        louder = (block * factor for block in blocks) if self.gain.db else iter(blocks)
        if not self.gain.limited_db:
            yield from louder
            return
        limiter = Limiter(sample_rate_hz, self.ceiling_dbtp)
        for block in louder:
            yield limiter.process(block)
        yield limiter.flush()


def survey(parts: Parts, sample_rate_hz: int | None, spool: Spool) -> tuple[Timeline, Loudness]:
    """The first pass: where every part stands, and how loud the whole is."""
    timeline = Timeline()
    meter: LoudnessMeter | None = None
    for part in parts():
        samples = spool.add(part, timeline, sample_rate_hz)
        meter = meter or LoudnessMeter(timeline.sample_rate_hz)
        meter.update(samples)
        for block in silence(round(part.pause_after * timeline.sample_rate_hz)):
            meter.update(block)
    return timeline, meter.read() if meter else Loudness(-math.inf, -math.inf, 0)


def plan_master(spool: Spool, timeline: Timeline, measured: Loudness, wanted: Deliverables) -> Master:
    """The gain for the loudness target; where a limiter must work, it makes up for what the limiter takes away."""
    ceiling = wanted.true_peak_dbtp
    gain = plan_gain(measured, wanted.loudness_lufs, ceiling)
    if gain.limited_db and wanted.loudness_lufs is not None:
        for _ in range(_CORRECTIONS):
            missing = wanted.loudness_lufs - _loudness(spool, timeline, Master(measured, gain, ceiling))
            if abs(missing) <= _TOLERANCE_LU:
                break
            gain = Gain(gain.db + missing, gain.limited_db + missing, gain.overshoot_db)
    return Master(measured, gain, ceiling)


def _loudness(spool: Spool, timeline: Timeline, master: Master) -> float:
    meter = LoudnessMeter(timeline.sample_rate_hz)
    for block in master.apply(spool.blocks(timeline), timeline.sample_rate_hz):
        meter.update(block)
    return meter.read().integrated_lufs
