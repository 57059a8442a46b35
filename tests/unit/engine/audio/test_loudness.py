"""Loudness and true peak against the standards' own signals and two independent meters."""

import math
from fractions import Fraction

import av
import numpy as np
import pytest

from koebin.engine.audio.loudness import SILENCE, Loudness, LoudnessMeter, TruePeakMeter, k_weighting

RATES = (16_000, 22_050, 24_000, 44_100, 48_000)


def measure(samples: np.ndarray, rate: int, block: int = 7_777) -> Loudness:
    meter = LoudnessMeter(rate)
    for first in range(0, len(samples), block):
        meter.update(samples[first : first + block].astype(np.float32))
    return meter.read()


def babble(rate: int, seconds: float = 8.0) -> np.ndarray:
    """Noise with the rhythm of speech, a long pause and a quiet end."""
    time = np.arange(round(seconds * rate)) / rate
    noise = np.random.default_rng(1).normal(0.0, 0.08, len(time))
    noise = np.convolve(noise, [0.25, 0.5, 0.25], "same") * (np.sin(2 * np.pi * 3 * time) > -0.3)
    noise[(time > 3) & (time < 4)] = 0.0
    noise[time > 6] *= 0.02
    return noise.astype(np.float32)


def ffmpeg(samples: np.ndarray, rate: int) -> float:
    graph = av.filter.Graph()
    source = graph.add("abuffer", f"sample_rate={rate}:sample_fmt=flt:channel_layout=mono:time_base=1/{rate}")
    meter, sink = graph.add("ebur128", "metadata=1"), graph.add("abuffersink")
    source.link_to(meter)
    meter.link_to(sink)
    graph.configure()
    reading = ""
    for first in range(0, len(samples), rate // 10):
        frame = av.AudioFrame.from_ndarray(samples[np.newaxis, first : first + rate // 10], format="flt", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = rate, first, Fraction(1, rate)
        graph.push(frame)
        while True:
            try:
                reading = graph.pull().metadata.get("lavfi.r128.I", reading)
            except av.error.BlockingIOError:
                break
    return float(reading)


def test_filters_are_those_of_the_standard_at_48_khz() -> None:
    """ITU-R BS.1770-4, tables 1 and 2."""
    expected = [
        [1.53512485958697, -2.69169618940638, 1.19839281085285, 1.0, -1.69065929318241, 0.73248077421585],
        [1.0, -2.0, 1.0, 1.0, -1.99004745483398, 0.99007225036621],
    ]
    assert k_weighting(48_000) == pytest.approx(np.array(expected), abs=1e-9)


@pytest.mark.parametrize("rate", RATES)
def test_a_full_scale_tone_reads_minus_three(rate: int) -> None:
    """ITU-R BS.1770-4: 0 dB FS, 997 Hz, in one channel gives -3.01 LKFS."""
    tone = np.sin(2 * np.pi * 997 * np.arange(3 * rate) / rate)
    # At low rates the bilinear transform squeezes the filters a little.
    assert measure(tone, rate).integrated_lufs == pytest.approx(-3.01, abs=0.01 if rate > 40_000 else 0.05)


def test_quiet_passages_are_gated_out() -> None:
    """EBU Tech 3341, case 3, in one channel."""
    rate = 16_000

    def tone(seconds: int, decibels: float) -> np.ndarray:
        return 10 ** (decibels / 20) * np.sin(2 * np.pi * 1_000 * np.arange(seconds * rate) / rate)

    alone = measure(tone(6, -23.0), rate).integrated_lufs
    assert alone == pytest.approx(-26.0, abs=0.05)
    programme = np.concatenate([tone(4, -36.0), tone(30, -23.0), tone(4, -36.0)])
    assert measure(programme, rate).integrated_lufs == pytest.approx(alone, abs=0.1)


@pytest.mark.parametrize("rate", RATES)
def test_agrees_with_other_meters(rate: int) -> None:
    import pyloudnorm

    sound = babble(rate)
    reading = measure(sound, rate).integrated_lufs
    # pyloudnorm's filters are approximations that drift apart from the standard's at low rates.
    assert reading == pytest.approx(pyloudnorm.Meter(rate).integrated_loudness(sound.astype(float)), abs=0.15)
    if rate >= 22_050:
        assert reading == pytest.approx(ffmpeg(sound, rate), abs=0.03)


def test_blocks_do_not_matter() -> None:
    sound = babble(24_000)
    readings = [measure(sound, 24_000, block) for block in (113, 4_096, len(sound))]
    assert readings[0].integrated_lufs == pytest.approx(readings[2].integrated_lufs, abs=1e-9)
    assert readings[0].true_peak_dbtp == pytest.approx(readings[2].true_peak_dbtp, abs=1e-9)
    assert {reading.samples for reading in readings} == {len(sound)}


def test_short_sound_counts_as_one_block_and_silence_as_none() -> None:
    tone = np.sin(2 * np.pi * 997 * np.arange(4_800) / 48_000)
    assert measure(tone, 48_000).integrated_lufs == pytest.approx(-3.01, abs=0.3)
    assert measure(np.zeros(48_000), 48_000) == Loudness(SILENCE, SILENCE, 48_000)
    assert LoudnessMeter(48_000).read() == Loudness(SILENCE, SILENCE, 0)


@pytest.mark.parametrize(("divisor", "phase"), [(4, 45.0), (6, 60.0), (8, 67.5)])
def test_finds_peaks_between_samples(divisor: int, phase: float) -> None:
    """EBU Tech 3341, cases 15 to 19: the samples miss the crests of these tones (+0.2/-0.4 dB is allowed)."""
    tone = 0.5 * np.sin(2 * np.pi * np.arange(48_000) / divisor + np.deg2rad(phase))
    # The onset overshoots; fade in and out.
    tone[:2_000] *= np.linspace(0, 1, 2_000)
    tone[-2_000:] *= np.linspace(1, 0, 2_000)
    assert np.abs(tone).max() < 0.5
    meter = TruePeakMeter()
    meter.update(tone.astype(np.float32))
    assert 20 * math.log10(meter.read()) == pytest.approx(-6.02, abs=0.1)
    assert meter.read() == meter.read()
