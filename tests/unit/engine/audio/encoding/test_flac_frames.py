"""FLAC frames that are kept by themselves and put together later."""

import io
from pathlib import Path

import numpy as np
import pytest
import soundfile

from koebin.engine.audio.encoding.flac_frames import BLOCK_FRAMES, Frames, encode_frames
from koebin.engine.audio.encoding.joined import open_joined
from koebin.engine.audio.encoding.tags import Tags
from koebin.engine.audio.encoding.writer import Encoding
from koebin.engine.errors import InferenceFailed, InvalidInput


def noise(samples: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0.0, 0.1, samples).astype(np.float32)


@pytest.mark.parametrize("rate", [48_000, 44_100, 22_050, 12_345, 96_000])
@pytest.mark.parametrize("samples", [1, 15, 4096, 4097, 5000, 12_288, 700_001])
def test_counted_frames_are_those_that_libflac_writes(samples: int, rate: int) -> None:
    whole = io.BytesIO()
    with soundfile.SoundFile(whole, "w", rate, 1, format="FLAC", subtype="PCM_24") as file:
        file.write(noise(samples))
    frames = Frames.load(encode_frames(noise(samples), rate).dump())
    assert whole.getvalue().endswith(frames.numbered(0, variable=False))
    assert frames.samples == samples


@pytest.mark.parametrize("lengths", [[4096, 8192, 100], [5000], [5000, 16, 4096 * 40 + 16, 200_000, 3]])
def test_a_joined_file_plays_what_its_stretches_hold(tmp_path: Path, lengths: list[int]) -> None:
    sounds = [noise(length, seed) for seed, length in enumerate(lengths)]
    path = tmp_path / "joined.flac"
    variable = any(length % BLOCK_FRAMES for length in lengths[:-1])
    encoding = Encoding("flac", 48_000, sum(lengths), tags=Tags(title="題"))
    with open_joined(path, encoding, variable=variable) as joined:
        for sound in sounds:
            joined.add(encode_frames(sound, 48_000))
    played, rate = soundfile.read(path, dtype="int32")
    expected = [soundfile.read(_alone(sound), dtype="int32")[0] for sound in sounds]
    assert np.array_equal(played, np.concatenate(expected))
    with soundfile.SoundFile(path) as file:  # libFLAC checks the numbers and both checksums of what it jumps to
        for start in (sum(lengths) // 2, sum(lengths) - 1, 0):
            file.seek(start)
            assert file.read(1, dtype="int32")[0] == played[start]
        assert (file.frames, rate, file.title) == (sum(lengths), 48_000, "題")


def _alone(sound: np.ndarray) -> io.BytesIO:
    buffer = io.BytesIO()
    soundfile.write(buffer, sound, 48_000, format="FLAC", subtype="PCM_24")
    buffer.seek(0)
    return buffer


def test_another_length_than_announced_leaves_no_file(tmp_path: Path) -> None:
    with (
        pytest.raises(InferenceFailed, match="differs from the announced"),
        open_joined(tmp_path / "a.flac", Encoding("flac", 48_000, 11), variable=False) as joined,
    ):
        joined.add(encode_frames(noise(10), 48_000))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("cut", [0, 10, 200, -1])
def test_damaged_frames_are_none(cut: int) -> None:
    with pytest.raises(InvalidInput, match="FLAC frames"):
        Frames.load(encode_frames(noise(9000), 48_000).dump()[:cut])
