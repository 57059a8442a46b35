"""Files that are encoded while they grow."""

from __future__ import annotations

import io

import numpy as np
import pytest

from koebin.engine.audio.encoding.stream import PCM_RATE, STREAM_TYPES, StreamEncoder
from koebin.engine.errors import InvalidOption

RATE = 48_000
TONE = (0.5 * np.sin(2 * np.pi * 440 * np.arange(2 * RATE) / RATE)).astype(np.float32)


def encoded(name: str, block: int, samples: np.ndarray = TONE, rate: int = RATE) -> tuple[bytes, list[int]]:
    encoder = StreamEncoder(name, rate)
    pieces = [encoder.write(samples[start : start + block]) for start in range(0, len(samples), block)]
    return b"".join([*pieces, encoder.finish()]), [len(piece) for piece in pieces]


@pytest.mark.parametrize("name", STREAM_TYPES)
def test_the_blocks_decide_nothing(name: str) -> None:
    whole, _ = encoded(name, len(TONE))
    parts, sizes = encoded(name, 4800)
    assert sum(size > 0 for size in sizes) > 1, "nothing came before the end"
    if name in ("opus", "flac"):  # a serial number is drawn; a block ends where a write ends
        assert abs(len(whole) - len(parts)) < 0.05 * len(whole) + 500
    else:
        assert whole == parts


@pytest.mark.parametrize("name", [name for name in STREAM_TYPES if name != "pcm"])
def test_a_player_hears_what_was_written(name: str) -> None:
    av = pytest.importorskip("av")
    data, _ = encoded(name, 10_000)
    with av.open(io.BytesIO(data)) as container:
        rate = container.streams.audio[0].rate
        blocks = [frame.to_ndarray().reshape(-1) for frame in container.decode(audio=0)]
    samples = np.concatenate(blocks).astype(np.float64)
    samples /= np.abs(samples).max()
    assert len(samples) / rate == pytest.approx(2.0, abs=0.1)
    spectrum = np.abs(np.fft.rfft(samples[rate // 2 : rate + rate // 2]))
    assert int(np.argmax(spectrum)) == pytest.approx(440, abs=1)


def test_samples_without_a_header_have_a_fixed_rate() -> None:
    data, _ = encoded("pcm", 10_000)
    assert len(data) / 2 == pytest.approx(2 * PCM_RATE, abs=50)
    quiet, _ = encoded("pcm", 100, np.zeros(0, np.float32))
    assert quiet == b""


def test_loud_samples_are_clipped_and_do_not_wrap() -> None:
    data, _ = encoded("wav", 100, np.array([2.0, -2.0, 0.0], np.float32))
    assert list(np.frombuffer(data[44:], "<i2")) == [32767, -32767, 0]


def test_other_formats_are_refused() -> None:
    with pytest.raises(InvalidOption, match="m4b"):
        StreamEncoder("m4b", RATE)
