"""Content-addressed cache of a programme's blocks, so that a changed sentence does not render the others again.

Everything kept is named after all that decides it, so that nothing on a shelf is ever out of date, and whatever is
missing or damaged is made again with the same bytes.
"""

from __future__ import annotations

import hashlib
import zlib
from typing import Final, Protocol

from koebin.engine.content_id import canonical_json
from koebin.engine.errors import InvalidInput

REVISION: Final = 2
"""Version of the cache, raised when the same parts give other samples, marks or FLAC frames: old entries are not found
any more."""

_SEAL_BYTES: Final = 4


class Shelf(Protocol):
    """Cache of bytes by name."""

    def get(self, name: str) -> bytes | None:
        """Cached bytes, None if absent."""
        ...

    def put(self, name: str, data: bytes) -> None:
        """Cache the bytes."""
        ...


class NoShelf:
    """Cache that keeps nothing."""

    def get(self, name: str) -> bytes | None:  # noqa: ARG002
        return None

    def put(self, name: str, data: bytes) -> None:
        """Drop the bytes."""


def shelf_name(kind: str, *decisive: object) -> str:
    """Cache name for a kind of product, from everything that decides it."""
    import numpy
    import soundfile
    import soxr

    made_by = [REVISION, soundfile.__libsndfile_version__, soxr.__libsoxr_version__, numpy.__version__]
    return hashlib.sha256(canonical_json([kind, made_by, *decisive])).hexdigest() + "." + kind


def sealed(data: bytes) -> bytes:
    """Bytes with a checksum for ``unsealed``: FLAC frames are not decoded again when they are joined."""
    return zlib.crc32(data).to_bytes(_SEAL_BYTES, "big") + data


def unsealed(data: bytes) -> bytes:
    """Bytes behind a valid checksum. Raises: InvalidInput: these are not the bytes that were sealed."""
    seal, kept = data[:_SEAL_BYTES], data[_SEAL_BYTES:]
    if int.from_bytes(seal, "big") != zlib.crc32(kept):
        raise InvalidInput("a cached block is damaged")
    return kept
