"""Gain to a loudness target."""

import math

import pytest

from koebin.engine.audio.gain import Gain, plan_gain
from koebin.engine.audio.loudness import SILENCE, Loudness
from koebin.engine.errors import InvalidOption


def test_gain_reaches_the_target() -> None:
    gain = plan_gain(Loudness(-23.0, -9.0, 1), -18.0, -1.0)
    assert gain == Gain(5.0, 0.0, 0.0)


def test_gain_says_what_a_limiter_must_do() -> None:
    gain = plan_gain(Loudness(-23.0, 2.0, 1), -18.0, -1.0)
    assert (gain.db, gain.limited_db, gain.overshoot_db) == (5.0, 8.0, 2.0)


def test_without_a_target_only_overshoot_is_scaled() -> None:
    assert plan_gain(Loudness(-23.0, -9.0, 1), None, -1.0) == Gain(0.0, 0.0, 0.0)
    assert plan_gain(Loudness(-9.0, 3.0, 1), None, -1.0) == Gain(-4.0, 0.0, 3.0)


def test_silence_stays_silence() -> None:
    assert plan_gain(Loudness(SILENCE, SILENCE, 48_000), -16.0, -1.0) == Gain(0.0, 0.0, 0.0)
    # Sound below the absolute gate: there is no loudness to aim with.
    assert plan_gain(Loudness(SILENCE, -80.0, 48_000), -16.0, -1.0) == Gain(0.0, 0.0, 0.0)


@pytest.mark.parametrize(("target", "ceiling"), [(1.0, -1.0), (-71.0, -1.0), (math.nan, -1.0), (-16.0, 0.5)])
def test_refuses_targets_out_of_range(target: float, ceiling: float) -> None:
    with pytest.raises(InvalidOption, match="out of range"):
        plan_gain(Loudness(-23.0, -9.0, 1), target, ceiling)
