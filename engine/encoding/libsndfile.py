"""WAV, FLAC, MP3 and Ogg Opus through libsndfile."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from engine.encoding.formats import Format
from engine.encoding.tags import Tags
from engine.errors import StoreError, StoreFull

FloatArray = NDArray[np.float32]

RIFF_LIMIT_BYTES = 0xFFFF_FFFF - 65_536
"""What a WAV file can count; above it the file becomes RF64 (EBU Tech 3306), which leaves room for the header here."""

_SUBTYPES: Final = {"wav": "PCM_16", "flac": "PCM_24", "mp3": "MPEG_LAYER_III", "opus": "OPUS"}
_FREE_BYTES = 1 << 20


class LibsndfileEncoder:
    """One open file of libsndfile's."""

    def __init__(
        self, path: Path, chosen: Format, sample_rate_hz: int, frames: int, bitrate_kbps: int | None, tags: Tags
    ) -> None:
        import soundfile

        self._path = path
        major = {"wav": "WAV" if frames * 2 < RIFF_LIMIT_BYTES else "RF64", "opus": "OGG"}.get(
            chosen.name, chosen.name.upper()
        )
        with _written(path):
            self._file = soundfile.SoundFile(
                str(path),
                "w",
                sample_rate_hz,
                1,
                format=major,
                subtype=_SUBTYPES[chosen.name],
                **_rate_control(chosen.name, sample_rate_hz, bitrate_kbps),
            )
        if chosen.name == "wav":
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
        with _written(self._path):
            self._file.write(block)

    def close(self) -> None:
        with _written(self._path):
            self._file.close()


def _rate_control(name: str, sample_rate_hz: int, bitrate_kbps: int | None) -> dict[str, Any]:
    """libsndfile takes a "compression level" from 0 to 1, linear in the bit rate between the codec's limits."""
    if name == "mp3":
        # MPEG-1 from 32 kHz up, MPEG-2 from 16 kHz, MPEG-2.5 below.
        low, high = (32, 320) if sample_rate_hz >= 32_000 else (8, 160) if sample_rate_hz >= 16_000 else (8, 64)
        return {"bitrate_mode": "CONSTANT", "compression_level": _level(bitrate_kbps, low, high)}
    if name == "opus":
        return {"compression_level": _level(bitrate_kbps, 6, 256)}
    return {}


def _level(bitrate_kbps: int | None, low: int, high: int) -> float:
    wanted = min(max(bitrate_kbps or low, low), high)
    # LAME refuses exactly 1.0, and libsndfile truncates the product: stay a hair above the wanted rate.
    return min(max((high - wanted - 0.01) / (high - low), 0.0), 0.999)


@contextmanager
def _written(path: Path) -> Iterator[None]:
    """libsndfile says "System error" for a full disk, and soundfile asserts that all samples were taken."""
    import soundfile

    try:
        yield
    except (soundfile.LibsndfileError, AssertionError) as error:
        if shutil.disk_usage(path.parent).free < _FREE_BYTES:
            raise StoreFull("no space is left for the file", str(path.parent), "Free some space") from error
        raise StoreError(f"the file cannot be encoded ({error})", str(path)) from error
