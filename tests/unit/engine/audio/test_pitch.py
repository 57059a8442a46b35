"""Pitch and intonation on a tone whose pitch is known."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import pyworld

from koebin.engine.audio.pitch import FloatArray, change_pitch

RATE = 16000


@pytest.fixture(scope="module")
def voice() -> FloatArray:
    """0.6 s of a buzz that glides from 180 to 220 Hz."""
    time = np.arange(int(0.6 * RATE)) / RATE
    phase = 2 * np.pi * (180 * time + 0.5 * 40 / 0.6 * time**2)
    return (0.1 * sum(np.sin(k * phase) / k for k in range(1, 12))).astype(np.float32)


def pitch_of(samples: FloatArray) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    pitch, _ = pyworld.harvest(samples.astype(np.float64), RATE)
    inner = pitch[20:-20]
    assert (inner > 0).all()
    return inner  # type: ignore[no-any-return]


@pytest.mark.parametrize(("semitones", "factor"), [(12, 2.0), (-5, 2 ** (-5 / 12))])
def test_semitones_shift_the_mean(voice: FloatArray, semitones: float, factor: float) -> None:
    changed = change_pitch(voice, RATE, semitones, 1.0)
    assert changed.shape == voice.shape
    assert changed.dtype == np.float32
    assert pitch_of(changed).mean() == pytest.approx(200 * factor, rel=0.02)


def test_intonation_scales_the_movement(voice: FloatArray) -> None:
    movement = pitch_of(voice).std()
    assert pitch_of(change_pitch(voice, RATE, 0, 0.0)).std() < 0.2 * movement
    assert pitch_of(change_pitch(voice, RATE, 0, 2.0)).std() == pytest.approx(2 * movement, rel=0.15)


def test_nothing_asked_for_changes_nothing(voice: FloatArray) -> None:
    assert change_pitch(voice, RATE, 0, 1.0) is voice


@pytest.mark.parametrize("length", [0, 1, 100, 479, 481, 5000])
def test_silence_and_scraps_stay_as_they_are(length: int) -> None:
    silence = np.zeros(length, np.float32)
    np.testing.assert_array_equal(change_pitch(silence, RATE, 3, 1.5), silence)


def test_threads_do_not_disturb_each_other(voice: FloatArray) -> None:
    alone = change_pitch(voice, RATE, 3, 1.2)
    with ThreadPoolExecutor(3) as pool:
        for together in pool.map(lambda _: change_pitch(voice, RATE, 3, 1.2), range(3)):
            np.testing.assert_array_equal(together, alone)
