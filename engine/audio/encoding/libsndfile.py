"""WAV, FLAC, MP3 and Ogg Opus encoder through libsndfile."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from io import RawIOBase
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from koebin.engine.audio.encoding.tags import Tags
from koebin.engine.audio.encoding.wav_header import RIFF_LIMIT_BYTES
from koebin.engine.audio.formats import Format
from koebin.engine.errors import StoreError, StoreFull

FloatArray = NDArray[np.float32]

_FREE_BYTES = 1 << 20


class LibsndfileEncoder:
    """One open file of libsndfile, given by its path or as an object to write to."""

    def __init__(
        self,
        path: Path | RawIOBase,
        chosen: Format,
        sample_rate_hz: int,
        samples: int,
        bitrate_kbps: int | None,
        tags: Tags,
    ) -> None:
        import soundfile

        self._path = path if isinstance(path, Path) else None
        too_long = chosen.tags == "riff" and samples * 2 >= RIFF_LIMIT_BYTES
        self._gain = np.float32(1.0)
        control: dict[str, Any] = {}
        if bitrate_kbps is not None:
            low, high = _limits(chosen, sample_rate_hz)
            bitrate_kbps = min(max(bitrate_kbps, low), high)
            control = _rate_control(chosen, low, high, bitrate_kbps)
            if chosen.subtype == "MPEG_LAYER_III":
                self._gain = np.float32(1.0 / _lame_scale(bitrate_kbps))
        with _written(self._path):
            self._file = soundfile.SoundFile(
                str(path) if isinstance(path, Path) else path,
                "w",
                sample_rate_hz,
                1,
                format="RF64" if too_long else chosen.container,
                subtype=chosen.subtype,
                **control,
            )
        if chosen.tags == "riff":
            self._describe(tags)

    def _describe(self, tags: Tags) -> None:
        fields = {
            "title": tags.title,
            "artist": tags.artist,
            "album": tags.album,
            "tracknumber": str(tags.track or ""),
            "date": tags.date,
            "genre": tags.genre,
            "comment": tags.comment,
        }
        for name, value in fields.items():
            if value:
                setattr(self._file, name, value)

    def write(self, block: FloatArray) -> None:
        """Encode the next samples: shape (N,), float32."""
        with _written(self._path):
            self._file.write(block * self._gain)

    def close(self) -> None:
        """Write the rest, and the header."""
        with _written(self._path):
            self._file.close()


def _limits(chosen: Format, sample_rate_hz: int) -> tuple[int, int]:
    """Lowest and highest bit rate, in kbit/s, that the codec has at a sample rate."""
    if chosen.subtype != "MPEG_LAYER_III":
        return chosen.bitrates or (0, 0)
    # MPEG-1 from 32 kHz up, MPEG-2 from 16 kHz, MPEG-2.5 below.
    return (32, 320) if sample_rate_hz >= 32_000 else (8, 160) if sample_rate_hz >= 16_000 else (8, 64)


def _rate_control(chosen: Format, low: int, high: int, bitrate_kbps: int) -> dict[str, Any]:
    """libsndfile takes a "compression level" from 0 to 1, linear in the bit rate between the codec's limits."""
    # LAME refuses exactly 1.0, and libsndfile truncates the product: stay a hair above the wanted rate.
    level = min(max((high - bitrate_kbps - 0.01) / (high - low), 0.0), 0.999)
    return {"compression_level": level, **({"bitrate_mode": "CONSTANT"} if chosen.subtype == "MPEG_LAYER_III" else {})}


def _lame_scale(bitrate_kbps: int) -> float:
    """Factor that LAME's presets apply before encoding; half a decibel that a loudness target would miss."""
    thresholds = ((176, 0.95), (208, 0.97), (240, 0.98))
    return next((scale for limit, scale in thresholds if bitrate_kbps <= limit), 1.0)


@contextmanager
def _written(path: Path | None) -> Iterator[None]:
    """Check a write: libsndfile says "System error" for a full disk, and soundfile asserts that all samples were
    taken."""
    import soundfile

    try:
        yield
    except (soundfile.LibsndfileError, AssertionError) as error:
        if path is not None and shutil.disk_usage(path.parent).free < _FREE_BYTES:
            raise StoreFull("no space is left for the file", str(path.parent), "Free some space") from error
        raise StoreError(f"the file cannot be encoded ({error})", str(path or "")) from error
