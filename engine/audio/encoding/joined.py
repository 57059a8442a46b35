"""FLAC joiner: one file from stretches that are encoded already.

STREAMINFO says that the MD5 of the sound is unknown (RFC 9639, section 8.2): it would take every sample again. Each
frame still has its checksums.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final

from koebin.engine.audio.encoding.files import translated, whole_file
from koebin.engine.audio.encoding.flac import STREAMINFO, metadata
from koebin.engine.audio.encoding.flac_frames import BLOCK_FRAMES, Frames
from koebin.engine.audio.encoding.writer import Encoding
from koebin.engine.errors import InferenceFailed

_BITS: Final = 24
_STREAMINFO_BYTES: Final = 34


class FlacJoiner:
    """One open FLAC file; accepts stretches in order."""

    def __init__(self, file: BinaryIO, path: Path, encoding: Encoding, *, variable: bool) -> None:
        self._file = file
        self._path = path
        self._encoding = encoding
        self._variable = variable
        self._written = 0
        self._last = BLOCK_FRAMES
        self._shortest = BLOCK_FRAMES
        self._put(self._head())

    def add(self, frames: Frames) -> None:
        """Append the next stretch."""
        self._shortest = min(self._shortest, self._last)
        self._last = frames.samples % BLOCK_FRAMES or BLOCK_FRAMES
        self._put(frames.numbered(self._written, variable=self._variable))
        self._written += frames.samples

    def finish(self) -> None:
        """Write the header's final values. Raises: InferenceFailed: another number of samples than announced."""
        if self._written != self._encoding.samples:
            raise InferenceFailed(
                "the sound's length differs from the announced one",
                f"{self._written} of {self._encoding.samples} samples",
            )
        with translated(self._path):
            self._file.seek(0)
        self._put(self._head())

    def _head(self) -> bytes:
        wanted = self._encoding
        sizes = b"".join(size.to_bytes(2, "big") for size in (self._shortest, BLOCK_FRAMES))
        unknown = bytes(6)  # bytes of the shortest and of the longest frame
        shape = wanted.sample_rate_hz << 44 | (_BITS - 1) << 36 | wanted.samples
        body = (sizes + unknown + shape.to_bytes(8, "big")).ljust(_STREAMINFO_BYTES, b"\0")
        return metadata([(STREAMINFO, body)], wanted.tags, wanted.chapters, wanted.cover)

    def _put(self, data: bytes) -> None:
        with translated(self._path):
            self._file.write(data)


@contextmanager
def open_joined(path: Path, encoding: Encoding, *, variable: bool) -> Iterator[FlacJoiner]:
    """Open a FLAC file that appears under ``path`` when the context ends without an exception; see ``open_writer``.

    Args:
        variable: more than one stretch follows; see ``Frames.numbered``.
    """
    with whole_file(path) as temporary:
        with translated(path):
            file = temporary.open("wb")
        with file:
            joiner = FlacJoiner(file, path, encoding, variable=variable)
            yield joiner
            joiner.finish()
