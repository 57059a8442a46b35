"""Gain that brings a programme to a loudness target, and what a limiter must then take down."""

from __future__ import annotations

from dataclasses import dataclass

from koebin.engine.audio.loudness import SILENCE, Loudness
from koebin.engine.errors import InvalidOption


@dataclass(frozen=True, slots=True)
class Gain:
    """Gain of a whole programme.

    Attributes:
        db: to be applied to every sample.
        limited_db: how far the highest peak would then stand above the ceiling, for a limiter to take down; 0.0 where
            the gain alone keeps below it.
        overshoot_db: how far the source stood above full scale; 0.0 where it did not.
    """

    db: float
    limited_db: float
    overshoot_db: float


def plan_gain(measured: Loudness, target_lufs: float | None, true_peak_dbtp: float) -> Gain:
    """Gain that brings a programme to ``target_lufs``, or, without a target, below the ceiling.

    Args:
        measured: of the programme as it is.
        target_lufs: -70 to 0, or None to leave a programme alone that keeps below the ceiling.
        true_peak_dbtp: the ceiling, -20 to 0.

    Silence stays silence: its gain is 0 dB.

    Raises:
        InvalidOption: a target or a ceiling out of its range.
    """
    _check("loudness target", target_lufs, -70.0, 0.0, "LUFS")
    _check("true-peak ceiling", true_peak_dbtp, -20.0, 0.0, "dBTP")
    if measured.true_peak_dbtp == SILENCE:
        return Gain(0.0, 0.0, 0.0)
    overshoot = max(0.0, measured.true_peak_dbtp)
    if target_lufs is None or measured.integrated_lufs == SILENCE:
        return Gain(min(0.0, true_peak_dbtp - measured.true_peak_dbtp), 0.0, overshoot)
    gain = target_lufs - measured.integrated_lufs
    return Gain(gain, max(0.0, measured.true_peak_dbtp + gain - true_peak_dbtp), overshoot)


def _check(name: str, value: float | None, low: float, high: float, unit: str) -> None:
    if value is not None and not low <= value <= high:
        raise InvalidOption(f"{name} is out of range", str(value), f"Use {low:g} to {high:g} {unit}")
