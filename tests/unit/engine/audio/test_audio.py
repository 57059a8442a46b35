"""Audio: samples, rate and marks stay together."""

import io
import logging
import math
from pathlib import Path

import numpy as np
import pytest
import soundfile

from koebin.engine.audio.audio import Audio, resample
from koebin.engine.audio.encoding import FORMATS
from koebin.engine.audio.marks import Mark, Marks
from koebin.engine.errors import InferenceFailed, InvalidInput, InvalidOption, StoreNotFound


def tone(seconds: float = 1.0, rate: int = 24_000, level: float = 0.3, hertz: float = 440.0) -> Audio:
    samples = level * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)
    return Audio(samples.astype(np.float32), rate, Marks((Mark("あ。", 0.1, seconds, "mei"),)))


def test_describes_itself_shortly() -> None:
    assert repr(tone(1.5)) == "Audio(1.50 s, 24000 Hz, 1 sentences)"
    assert tone(1.5).duration_seconds == 1.5
    assert len(tone(1.5)) == 36_000


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_refuses_what_is_not_a_number(value: float) -> None:
    samples = np.zeros(10, dtype=np.float32)
    samples[3] = value
    with pytest.raises(InferenceFailed, match="not a finite number"):
        Audio(samples, 24_000)


def test_refuses_stereo_and_odd_rates() -> None:
    with pytest.raises(InvalidOption, match="not mono"):
        Audio(np.zeros((2, 10), dtype=np.float32), 24_000)
    with pytest.raises(InvalidOption, match="8000 to 192000"):
        Audio(np.zeros(10, dtype=np.float32), 100)


def test_accepts_other_floats() -> None:
    assert Audio(np.zeros(10), 24_000).samples.dtype == np.float32


def test_joins_with_pauses_and_shifted_marks() -> None:
    joined = Audio.joined([tone(1.0), tone(0.5), tone(0.25)], [0.2, 0.3])
    assert joined.duration_seconds == pytest.approx(1.0 + 0.2 + 0.5 + 0.3 + 0.25)
    assert [mark.start for mark in joined.marks.sentences] == pytest.approx([0.1, 1.3, 2.1])
    assert not joined.samples[24_000 : 24_000 + 4_800].any()
    assert np.abs(joined.samples[28_800:40_800]).max() == pytest.approx(0.3, abs=1e-3)


def test_joins_other_rates_at_the_first_ones() -> None:
    joined = Audio.joined([tone(1.0, 24_000), tone(1.0, 48_000)], 0.5)
    assert joined.sample_rate_hz == 24_000
    assert joined.duration_seconds == 2.5


@pytest.mark.parametrize("pauses", [[0.1], [0.1, 0.2, 0.3, 0.4], -1.0, math.nan])
def test_refuses_pauses_that_do_not_fit(pauses: float | list[float]) -> None:
    with pytest.raises(InvalidOption):
        Audio.joined([tone(), tone(), tone()], pauses)
    with pytest.raises(InvalidOption, match="no audio"):
        Audio.joined([])


def test_resamples_to_the_exact_length_and_keeps_the_sound() -> None:
    audio = tone(1.2345, 48_000)
    other = audio.resampled(22_050)
    assert len(other) == round(len(audio) * 22_050 / 48_000)
    assert other.marks == audio.marks
    middle = other.samples[2_000:-2_000]
    assert np.sqrt(np.mean(middle**2)) == pytest.approx(0.3 / math.sqrt(2), rel=1e-3)
    assert len(resample(np.zeros(0, dtype=np.float32), 48_000, 24_000)) == 0


def test_gain_is_in_decibels_and_never_clips() -> None:
    assert tone().with_gain(20.0).peak == pytest.approx(3.0, rel=1e-3)
    with pytest.raises(InvalidOption):
        tone().with_gain(math.nan)


@pytest.mark.parametrize("name", sorted(FORMATS))
def test_saves_what_to_bytes_gives(name: str, tmp_path: Path) -> None:
    path = tone().save(tmp_path / f"a.{name}")
    assert path.read_bytes() == tone().to_bytes(name)
    assert [entry.name for entry in tmp_path.iterdir()] == [f"a.{name}"]


def test_format_overrides_the_suffix(tmp_path: Path) -> None:
    path = tone().save(str(tmp_path / "a.bin"), format="FLAC")
    assert soundfile.info(str(path)).format == "FLAC"
    assert tone().save(tmp_path / "b.ogg").read_bytes()[:4] == b"OggS"


def test_overshoot_is_scaled_and_reported(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    loud = tone(level=2.0)
    with caplog.at_level(logging.WARNING):
        samples, _ = soundfile.read(loud.save(tmp_path / "a.wav"))
    assert "6.02 dB above full scale" in caplog.text
    # Scaled as a whole: a clipped or wrapped sine has another shape.
    assert samples == pytest.approx(loud.samples / loud.peak, abs=2e-4)


def test_refuses_unknown_formats_missing_folders_and_silence(tmp_path: Path) -> None:
    with pytest.raises(InvalidOption, match=r"not a known audio format: '\.mp33'\. Use mp3"):
        tone().save(tmp_path / "a.mp33")
    with pytest.raises(InvalidOption, match="no suffix"):
        tone().save(tmp_path / "a")
    with pytest.raises(StoreNotFound, match="folder does not exist"):
        tone().save(tmp_path / "none" / "a.wav")
    with pytest.raises(InvalidInput, match="no samples"):
        Audio(np.zeros(0, dtype=np.float32), 24_000).save(tmp_path / "a.wav")
    assert list(tmp_path.iterdir()) == []


def test_shows_a_player_in_a_notebook() -> None:
    assert tone()._repr_html_().startswith('<audio controls src="data:audio/wav;base64,UklGR')
    samples, rate = soundfile.read(io.BytesIO(tone().to_bytes("wav")))
    assert (len(samples), rate) == (24_000, 24_000)
