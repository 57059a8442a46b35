"""ID3v2.3 tags with chapters, for MP3.

Version 2.3 with UTF-16 text is what every player reads. Source: https://id3.org/id3v2.3.0 and the ID3v2 chapter frame
addendum.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

from koebin.engine.audio.encoding.tags import Chapter, Cover, Tags

_UNUSED_OFFSET = 0xFFFFFFFF


def id3_tag(tags: Tags, chapters: Sequence[Chapter], cover: Cover | None, duration_seconds: float) -> bytes:
    """Tag that precedes the first MPEG frame."""
    texts = {
        "TIT2": tags.title,
        "TPE1": tags.artist,
        "TALB": tags.album,
        "TRCK": tags.track_of,
        "TYER": tags.date[:4],
        "TCON": tags.genre,
        "TLEN": str(round(duration_seconds * 1000)),
    }
    frames = [_frame(name, _text(value)) for name, value in texts.items() if value]
    if tags.comment:
        frames.append(_frame("COMM", b"\x01jpn" + _utf16("") + b"\0\0" + _utf16(tags.comment)))
    if cover is not None:
        frames.append(_frame("APIC", b"\0" + cover.media_type.encode() + b"\0\x03\0" + cover.data))
    body = b"".join(frames + _chapter_frames(chapters))
    return b"ID3\x03\x00\x00" + _synchsafe(len(body)) + body


def _chapter_frames(chapters: Sequence[Chapter]) -> list[bytes]:
    ids = [f"chp{number}".encode() + b"\0" for number in range(len(chapters))]
    frames = []
    # The table of contents has a one-byte count; players fall back to the chapter frames themselves.
    if 0 < len(chapters) <= 255:
        frames.append(_frame("CTOC", b"toc\0" + bytes([3, len(ids)]) + b"".join(ids)))
    for name, chapter in zip(ids, chapters, strict=True):
        times = struct.pack(
            ">IIII", round(chapter.start * 1000), round(chapter.end * 1000), _UNUSED_OFFSET, _UNUSED_OFFSET
        )
        frames.append(_frame("CHAP", name + times + _frame("TIT2", _text(chapter.title))))
    return frames


def _frame(name: str, body: bytes) -> bytes:
    return name.encode() + struct.pack(">IH", len(body), 0) + body


def _text(value: str) -> bytes:
    return b"\x01" + _utf16(value)


def _utf16(value: str) -> bytes:
    return b"\xff\xfe" + value.encode("utf-16-le")


def _synchsafe(size: int) -> bytes:
    return bytes((size >> shift) & 0x7F for shift in (21, 14, 7, 0))
