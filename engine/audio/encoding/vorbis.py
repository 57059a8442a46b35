"""Vorbis comments, as FLAC and Opus carry them.

Source: https://xiph.org/vorbis/doc/v-comment.html; pictures: RFC 9639, section 8.8; chapters: the CHAPTERxxx
extension of https://wiki.xiph.org/Chapter_Extension.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

from koebin.engine.audio.encoding.tags import Chapter, Cover, Tags


def comment_fields(tags: Tags, chapters: Sequence[Chapter]) -> list[tuple[str, str]]:
    """Name and value of every comment, in a fixed order."""
    fields = [
        ("TITLE", tags.title),
        ("ARTIST", tags.artist),
        ("ALBUM", tags.album),
        ("TRACKNUMBER", str(tags.track or "")),
        ("TRACKTOTAL", str(tags.tracks or "")),
        ("DATE", tags.date),
        ("GENRE", tags.genre),
        ("COMMENT", tags.comment),
    ]
    for number, chapter in enumerate(chapters, start=1):
        fields += [(f"CHAPTER{number:03d}", _clock(chapter.start)), (f"CHAPTER{number:03d}NAME", chapter.title)]
    return [(name, value) for name, value in fields if value]


def comment_block(vendor: str, fields: Sequence[tuple[str, str]]) -> bytes:
    """Comment header, without a framing bit (neither FLAC nor Opus has one)."""
    entries = [f"{name}={value}".encode() for name, value in fields]
    return b"".join([_sized(vendor.encode()), struct.pack("<I", len(entries))] + [_sized(entry) for entry in entries])


def picture_block(cover: Cover) -> bytes:
    """Front cover; its dimensions are left to the decoder (zero)."""
    media_type = cover.media_type.encode()
    return (
        struct.pack(">II", 3, len(media_type))
        + media_type
        + struct.pack(">IIIIII", 0, 0, 0, 0, 0, len(cover.data))
        + cover.data
    )


def _sized(data: bytes) -> bytes:
    return struct.pack("<I", len(data)) + data


def _clock(seconds: float) -> str:
    milliseconds = round(seconds * 1000)
    minutes, rest = divmod(milliseconds, 60_000)
    return f"{minutes // 60:02d}:{minutes % 60:02d}:{rest // 1000:02d}.{rest % 1000:03d}"
