"""File metadata: tags, chapters, cover."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from koebin.engine.errors import InvalidOption

_MAGIC: Final = {b"\xff\xd8\xff": "image/jpeg", b"\x89PNG\r\n\x1a\n": "image/png"}
_COVER_LIMIT_BYTES: Final = 10_000_000


@dataclass(frozen=True, slots=True)
class Tags:
    """Tags that every container can hold; "" and 0 leave a field out."""

    title: str = ""
    artist: str = ""
    album: str = ""
    track: int = 0
    tracks: int = 0
    date: str = ""
    genre: str = ""
    comment: str = ""

    def __bool__(self) -> bool:
        return self != Tags()

    @property
    def track_of(self) -> str:
        """``3/12``, ``3`` or ""."""
        if not self.track:
            return ""
        return f"{self.track}/{self.tracks}" if self.tracks else str(self.track)


@dataclass(frozen=True, slots=True)
class Chapter:
    """Chapter from ``start`` to ``end``, in seconds."""

    title: str
    start: float
    end: float


@dataclass(frozen=True, slots=True)
class Cover:
    """Front cover: PNG or JPEG bytes, at most 10 MB.

    Raises:
        InvalidOption: something else.
    """

    data: bytes

    def __post_init__(self) -> None:
        if len(self.data) > _COVER_LIMIT_BYTES:
            raise InvalidOption("the cover is too large", f"{len(self.data)} bytes", "Use an image below 10 MB")
        if not self.media_type:
            raise InvalidOption("the cover is neither PNG nor JPEG", repr(self.data[:8]), "Convert the image")

    @property
    def media_type(self) -> str:
        return next((name for magic, name in _MAGIC.items() if self.data.startswith(magic)), "")

    @property
    def suffix(self) -> str:
        return ".png" if self.media_type == "image/png" else ".jpg"

    @classmethod
    def read(cls, path: Path) -> Cover:
        return cls(path.read_bytes())
