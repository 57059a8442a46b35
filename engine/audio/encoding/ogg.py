"""Ogg Opus pages, rewritten so that the same speech gives the same bytes.

libsndfile draws the stream's serial number at random. Source: RFC 3533 (Ogg), RFC 7845 (Opus in Ogg).
"""

from __future__ import annotations

import base64
import itertools
import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import BinaryIO

from koebin.engine.audio.encoding.tags import Chapter, Cover, Tags
from koebin.engine.audio.encoding.vorbis import comment_block, comment_fields, picture_block
from koebin.engine.errors import InvalidInput

_HEADER = struct.Struct("<4sBBqIIIB")
_CONTINUED = 0x01
_MIRROR = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


@dataclass(frozen=True, slots=True)
class _Page:
    kind: int
    granule: int
    serial: int
    sequence: int
    lacing: bytes
    body: bytes

    def encode(self) -> bytes:
        head = _HEADER.pack(b"OggS", 0, self.kind, self.granule, self.serial, self.sequence, 0, len(self.lacing))
        page = head + self.lacing + self.body
        return page[:22] + struct.pack("<I", checksum(page)) + page[26:]

    @property
    def ends_packet(self) -> bool:
        return any(size < 255 for size in self.lacing)


def checksum(data: bytes) -> int:
    """CRC-32 of Ogg: polynomial 0x04C11DB7, most significant bit first, no inversion.

    zlib's CRC is the same polynomial on mirrored bits, inverted at both ends, and some hundred times faster than a
    loop in Python.
    """
    mirrored = zlib.crc32(data.translate(_MIRROR), 0xFFFFFFFF) ^ 0xFFFFFFFF
    return int(f"{mirrored:032b}"[::-1], 2)


def write_tags(
    source: BinaryIO, target: BinaryIO, serial: int, tags: Tags, chapters: Sequence[Chapter], cover: Cover | None
) -> None:
    """Copy an Ogg Opus stream with another serial number and other comments.

    Args:
        serial: 32 bits; chained streams of one file must differ in it.
    """
    pages = _read_pages(source)
    head = next(pages)
    if not head.body.startswith(b"OpusHead"):
        raise InvalidInput("not an Ogg Opus stream")
    while not next(pages).ends_packet:
        pass
    comments = _packet_pages(_opus_tags(tags, chapters, cover))
    numbered = enumerate(itertools.chain([head], comments, pages))
    target.writelines(replace(page, serial=serial, sequence=sequence).encode() for sequence, page in numbered)


def _opus_tags(tags: Tags, chapters: Sequence[Chapter], cover: Cover | None) -> bytes:
    fields = comment_fields(tags, chapters)
    if cover is not None:
        fields.append(("METADATA_BLOCK_PICTURE", base64.b64encode(picture_block(cover)).decode()))
    return b"OpusTags" + comment_block("koebin", fields)


def _packet_pages(packet: bytes) -> Iterator[_Page]:
    lacing = bytes([255] * (len(packet) // 255) + [len(packet) % 255])
    for first in range(0, len(lacing), 255):
        sizes = lacing[first : first + 255]
        body = packet[first * 255 : first * 255 + sum(sizes)]
        ends = any(size < 255 for size in sizes)
        # A page on which no packet ends has granule -1.
        yield _Page(_CONTINUED if first else 0, 0 if ends else -1, 0, 0, sizes, body)


def _read_pages(source: BinaryIO) -> Iterator[_Page]:
    while header := source.read(_HEADER.size):
        magic, _, kind, granule, serial, sequence, _, segments = _HEADER.unpack(header)
        if magic != b"OggS":
            raise InvalidInput("not an Ogg stream")
        lacing = source.read(segments)
        yield _Page(kind, granule, serial, sequence, lacing, source.read(sum(lacing)))
