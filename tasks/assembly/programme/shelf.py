"""What is kept of a programme's blocks, so that a changed sentence does not make the others again.

Everything kept is named after all that decides it, so that nothing on a shelf is ever out of date, and whatever is
missing or damaged is made again with the same bytes.
"""

from __future__ import annotations

import hashlib
import zlib
from typing import Final, Protocol

from koebin.engine.content import canonical_json
from koebin.engine.errors import InvalidInput

REVISION: Final = 2
"""To be raised when the same parts give other samples, marks or FLAC frames: then nothing kept is found any more."""

_SEAL_BYTES: Final = 4


class Shelf(Protocol):
    """Bytes under names."""

    def get(self, name: str) -> bytes | None:
        """What was kept, None if there is nothing (any more)."""
        ...

    def put(self, name: str, data: bytes) -> None:
        """Keep it."""
        ...


class NoShelf:
    """Keeps nothing."""

    def get(self, name: str) -> bytes | None:  # noqa: ARG002
        return None

    def put(self, name: str, data: bytes) -> None:
        """Forget it."""


def shelf_name(kind: str, *decisive: object) -> str:
    """The name of something of a kind, from what decides it."""
    import numpy
    import soundfile
    import soxr

    made_by = [REVISION, soundfile.__libsndfile_version__, soxr.__libsoxr_version__, numpy.__version__]
    return hashlib.sha256(canonical_json([kind, made_by, *decisive])).hexdigest() + "." + kind


def sealed(data: bytes) -> bytes:
    """Bytes that ``unsealed`` knows again: an encoder's frames do not look at themselves when they are joined."""
    return zlib.crc32(data).to_bytes(_SEAL_BYTES, "big") + data


def unsealed(data: bytes) -> bytes:
    """Raises: InvalidInput: these are not the bytes that were kept."""
    seal, kept = data[:_SEAL_BYTES], data[_SEAL_BYTES:]
    if int.from_bytes(seal, "big") != zlib.crc32(kept):
        raise InvalidInput("what was kept of a block is damaged")
    return kept
