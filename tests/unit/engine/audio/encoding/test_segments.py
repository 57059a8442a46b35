"""Segments: 24-bit FLAC and back."""

import numpy as np
import pytest
import soundfile

from koebin.engine.audio.audio import Audio
from koebin.engine.audio.encoding import decode_segment, encode_segment
from koebin.engine.audio.marks import Mark, Marks
from koebin.engine.errors import InvalidInput


def speech(level: float) -> Audio:
    samples = np.random.default_rng(3).uniform(-level, level, 10_000).astype(np.float32)
    return Audio(samples, 44_100)


def test_keeps_24_bits() -> None:
    audio = speech(0.9)
    data = encode_segment(audio)
    assert np.abs(decode_segment(data).samples - audio.samples).max() <= 2.0**-23
    assert encode_segment(audio) == data


@pytest.mark.parametrize("level", [1.5, 7.9, 30.0])
def test_overshoot_comes_back_and_other_players_hear_no_clipping(level: float) -> None:
    import io

    audio = speech(level)
    data = encode_segment(audio)
    assert np.abs(decode_segment(data).samples - audio.samples).max() <= 2.0**-23 * 2 * level
    plain, _ = soundfile.read(io.BytesIO(data))
    assert 0.4 < np.abs(plain).max() <= 1.0
    assert np.corrcoef(plain, audio.samples)[0, 1] == pytest.approx(1.0)


def test_marks_come_along() -> None:
    marks = Marks((Mark("あ", 0.0, 0.1),))
    assert decode_segment(encode_segment(speech(0.5)), marks).marks == marks


def test_refuses_damage() -> None:
    data = encode_segment(speech(0.5))
    with pytest.raises(InvalidInput):
        decode_segment(data[: len(data) // 2])
    with pytest.raises(InvalidInput, match="cannot be decoded"):
        decode_segment(b"not FLAC at all")
    with pytest.raises(InvalidInput, match="not mono FLAC: 'WAV"):
        decode_segment(speech(0.5).to_bytes("wav"))
    with pytest.raises(InvalidInput, match="no samples"):
        encode_segment(Audio(np.zeros(0, dtype=np.float32), 44_100))
