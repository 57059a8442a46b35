"""The limiter keeps below its ceiling and touches nothing else."""

import numpy as np
import pytest
import soxr

from koebin.engine.audio.limiter import Limiter, lowest

RATE = 24_000


def limited(samples: np.ndarray, ceiling_dbtp: float, block: int) -> np.ndarray:
    limiter = Limiter(RATE, ceiling_dbtp)
    pieces = [limiter.process(samples[first : first + block]) for first in range(0, len(samples), block)]
    return np.concatenate([*pieces, limiter.flush()])


@pytest.fixture(scope="module")
def sound() -> np.ndarray:
    """Two seconds of quiet noise with three bursts, the last one at the very end."""
    noise = np.random.default_rng(2).normal(0.0, 0.05, 2 * RATE)
    for first, last in ((9_000, 9_100), (20_000, 22_000), (47_900, 48_000)):
        noise[first:last] *= 12.0
    return np.convolve(noise, [0.25, 0.5, 0.25], "same").astype(np.float32)


@pytest.mark.parametrize("ceiling", [-12.0, -6.0, -1.0])
def test_no_true_peak_stands_above_the_ceiling(sound: np.ndarray, ceiling: float) -> None:
    out = limited(sound, ceiling, 1_000)
    # An independent and finer interpolation than the limiter's own.
    peak = np.abs(soxr.resample(out.astype(np.float64), RATE, 8 * RATE, quality="VHQ")).max()
    assert 20 * np.log10(peak) < ceiling + 0.25
    assert len(out) == len(sound)


def test_what_is_far_from_a_peak_stays_bit_for_bit(sound: np.ndarray) -> None:
    out = limited(sound, -6.0, 1_000)
    assert np.array_equal(out[:8_500], sound[:8_500])
    assert np.array_equal(out[10_000:19_500], sound[10_000:19_500])
    assert not np.array_equal(out[20_000:22_000], sound[20_000:22_000])


def test_the_gain_never_raises_and_moves_smoothly(sound: np.ndarray) -> None:
    out = limited(sound, -6.0, 1_000)
    audible = np.abs(sound) > 1e-3
    gain = np.where(audible, out / np.where(audible, sound, 1.0), np.nan)
    assert np.nanmax(gain) <= 1.0 + 1e-6
    assert np.nanmin(gain) > 0.2
    neighbours = np.abs(np.diff(gain))
    assert np.nanmax(neighbours) < 0.02


@pytest.mark.parametrize("block", [1, 100, 7_777, 48_000])
def test_blocks_do_not_matter(sound: np.ndarray, block: int) -> None:
    part = sound[8_000:12_000] if block == 1 else sound
    assert np.array_equal(limited(part, -6.0, block), limited(part, -6.0, 1_000))


def test_nothing_to_do_and_nothing_at_all() -> None:
    quiet = np.full(5_000, 0.01, dtype=np.float32)
    assert np.array_equal(limited(quiet, -1.0, 999), quiet)
    assert len(limited(quiet[:0], -1.0, 10)) == 0


@pytest.mark.parametrize("width", [1, 2, 3, 7, 241])
def test_the_lowest_of_every_neighbourhood(width: int) -> None:
    values = np.random.default_rng(5).random(1_000)
    expected = [values[first : first + width].min() for first in range(1_000 - width + 1)]
    assert lowest(values, width).tolist() == expected
