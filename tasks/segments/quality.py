"""Quality gate: checks of a spoken segment, and further takes if it fails.

Optional, and part of a job's options. A segment that fails is spoken again as another take, with other noise under a
key of its own, so that every stored object still follows from its key alone. The takes are tried in order and the first
good one is used: the same on every retry. ``done/<n>.json`` lists the takes that were tried and the one that is used.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Final, Protocol

from koebin.engine.errors import BackendMissing
from koebin.engine.options import SynthesisOptions
from koebin.engine.text.characters import is_speech
from koebin.tasks.contracts import Quality

if TYPE_CHECKING:
    from koebin.engine.audio.audio import Audio
    from koebin.engine.models.base import FloatArray

GROUP: Final = "koebin.recognisers"
"""Entry point group of recognisers."""

SILENCE_DBFS: Final = -55.0
"""RMS of a whole segment below which it is inaudible, after subtraction of the requested volume."""
CLIPPED: Final = 0.999
FLAT: Final = 1e-5
CLIPPED_RUN: Final = 4
CLIPPED_SHARE: Final = 0.001
SLOWEST: Final = 0.75
FASTEST: Final = 0.035
"""Seconds per spoken character at speed 1.0: kanji hold several morae, and digits many."""
SLACK_SECONDS: Final = 2.0


@dataclass(frozen=True, slots=True)
class SpokenSegment:
    """Segment as a recogniser sees it; ``audio`` is mono float32."""

    text: str
    speaker: str
    options: SynthesisOptions
    audio: Audio


class Recogniser(Protocol):
    """Interface of the entry points ``koebin.recognisers``: judges the same segment the same way every time."""

    def __call__(self, spoken: SpokenSegment) -> str:
        """Why the segment is bad, as a short sentence; "" if it is good."""
        ...


@dataclass(frozen=True, slots=True)
class Verdict:
    """Verdict on a take: ``mute`` if it is inaudible, else the reasons for doubt."""

    reasons: tuple[str, ...] = ()
    mute: bool = False

    @property
    def good(self) -> bool:
        return not self.reasons


class QualityGate:
    """Quality gate: built-in checks, then the requested recognisers.

    Raises:
        BackendMissing: a recogniser is not installed here.
    """

    def __init__(self, quality: Quality) -> None:
        self.takes = quality.takes
        self._recognisers = [(name, _recogniser(name)) for name in quality.recognisers]

    def judge(self, spoken: SpokenSegment) -> Verdict:
        """Verdict on a take; recognisers judge only what is audible."""
        verdict = check_samples(spoken)
        if verdict.mute:
            return verdict
        said = [(name, recognise(spoken)) for name, recognise in self._recognisers]
        return Verdict(verdict.reasons + tuple(f"{name}: {why[:200]}" for name, why in said if why))


def check_samples(spoken: SpokenSegment) -> Verdict:
    """Check for silence, clipping, and a duration that no reading of the text can have. ``Audio`` itself refuses
    NaN."""
    samples = spoken.audio.samples
    level = _level(samples) - spoken.options.volume
    if level < SILENCE_DBFS:
        return Verdict((f"silence ({level:.0f} dBFS)",), mute=True)
    reasons = []
    share = _clipped(samples)
    if share > CLIPPED_SHARE:
        reasons.append(f"clipped ({share:.1%} of the samples)")
    seconds, characters = spoken.audio.duration_seconds, sum(map(is_speech, spoken.text))
    longest = (SLOWEST * characters + SLACK_SECONDS) / spoken.options.speed
    shortest = FASTEST * characters / spoken.options.speed
    if not shortest <= seconds <= longest:
        reasons.append(f"{seconds:.1f} s, expected {shortest:.1f} to {longest:.1f} s")
    return Verdict(tuple(reasons))


def _level(samples: FloatArray) -> float:
    """RMS in dBFS."""
    import numpy as np

    power = float(np.mean(np.square(samples, dtype=np.float64))) if len(samples) else 0.0
    return 10 * math.log10(power) if power > 0 else -math.inf


def _clipped(samples: FloatArray) -> float:
    """Share of the samples in flat runs at full scale; a peak that only touches it is not clipping."""
    import numpy as np

    if not len(samples):
        return 0.0
    flat = np.abs(np.diff(samples, prepend=samples[0])) < FLAT
    full = (np.abs(samples) >= CLIPPED) & flat
    edges = np.flatnonzero(np.diff(np.concatenate(([False], full, [False])).astype(np.int8)))
    runs = edges[1::2] - edges[::2]
    return float(runs[runs >= CLIPPED_RUN].sum()) / len(full)


def _recogniser(name: str) -> Callable[[SpokenSegment], str]:
    found = next(iter(entry_points(group=GROUP, name=name)), None)
    if found is None:
        known = ", ".join(sorted(point.name for point in entry_points(group=GROUP))) or "none"
        raise BackendMissing("the recogniser is not installed on this worker", name, f"Installed: {known}")
    try:
        recognise: Callable[[SpokenSegment], str] = found.load()
    except ImportError as error:
        raise BackendMissing("the recogniser cannot be loaded", name, str(error)) from error
    return recognise
