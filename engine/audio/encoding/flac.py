"""FLAC metadata blocks.

Source: RFC 9639, section 8.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from typing import BinaryIO

from koebin.engine.audio.encoding.tags import Chapter, Cover, Tags
from koebin.engine.audio.encoding.vorbis import comment_block, comment_fields, picture_block
from koebin.engine.errors import InvalidInput

STREAMINFO = 0
_PADDING, _COMMENT, _PICTURE = 1, 4, 6


def write_tags(
    source: BinaryIO, target: BinaryIO, tags: Tags, chapters: Sequence[Chapter], cover: Cover | None
) -> None:
    """Copy a FLAC stream with its comments replaced; the audio frames are copied as they are."""
    if source.read(4) != b"fLaC":
        raise InvalidInput("not a FLAC stream")
    kept = [block for block in _read_blocks(source) if block[0] not in (_PADDING, _COMMENT, _PICTURE)]
    target.write(metadata(kept, tags, chapters, cover))
    shutil.copyfileobj(source, target, 1 << 20)


def metadata(
    blocks: Sequence[tuple[int, bytes]], tags: Tags, chapters: Sequence[Chapter], cover: Cover | None
) -> bytes:
    """Everything before a stream's first FLAC frame: the given blocks, then comments and the cover."""
    blocks = [*blocks, (_COMMENT, comment_block("koebin", comment_fields(tags, chapters)))]
    if cover is not None:
        blocks.append((_PICTURE, picture_block(cover)))
    pieces = [b"fLaC"]
    for position, (kind, body) in enumerate(blocks):
        last = position == len(blocks) - 1
        pieces.append(bytes([kind | 0x80 * last]) + len(body).to_bytes(3, "big") + body)
    return b"".join(pieces)


def _read_blocks(source: BinaryIO) -> list[tuple[int, bytes]]:
    blocks = []
    last = False
    while not last:
        header = source.read(4)
        last = bool(header[0] & 0x80)
        blocks.append((header[0] & 0x7F, source.read(int.from_bytes(header[1:], "big"))))
    return blocks
