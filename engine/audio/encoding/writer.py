"""Streaming audio file writer: blocks of samples in, one finished file out."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from koebin.engine.audio.encoding import flac, id3, ogg
from koebin.engine.audio.encoding.aac import AacEncoder
from koebin.engine.audio.encoding.files import rewritten, whole_file
from koebin.engine.audio.encoding.libsndfile import LibsndfileEncoder
from koebin.engine.audio.encoding.tags import Chapter, Cover, Tags
from koebin.engine.audio.formats import Format, find_format
from koebin.engine.errors import InferenceFailed, InvalidOption

FloatArray = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Encoding:
    """Parameters of one encoded file.

    Attributes:
        format: a name that ``find_format`` knows.
        sample_rate_hz: of the blocks; resampled if the codec does not support it.
        samples: total number of samples, at least 1; a file with another number is never finished.
        bitrate_kbps: of a lossy format, None for its default; MP3 has no more than 160 below 32 kHz, and no more than
            64 below 16 kHz.
        tags, chapters, cover: written where the container has a place for them (WAV has none for the latter two).
    """

    format: str
    sample_rate_hz: int
    samples: int
    bitrate_kbps: int | None = None
    tags: Tags = field(default_factory=Tags)
    chapters: Sequence[Chapter] = ()
    cover: Cover | None = None


class Encoder(Protocol):
    """Encoder interface of a container."""

    def write(self, block: FloatArray) -> None:
        """Encode the next samples: shape (N,), float32; values outside [-1, 1] are clipped, never wrapped."""

    def close(self) -> None:
        """Write the rest."""


@contextmanager
def open_writer(path: Path, encoding: Encoding) -> Iterator[Writer]:
    """Encode a file block by block, in memory that does not grow with its length.

    The same blocks give the same bytes on one machine. The file appears under ``path`` when the context ends without
    an exception; until then, and after an exception, what lay there before is untouched.

    Raises:
        InvalidOption: an unknown format, or a bit rate out of its range.
        BackendMissing: AAC is asked for and the extra ``m4b`` is not installed.
        InferenceFailed: another number of samples was written than announced.
        StoreDenied, StoreFull, StoreNotFound: the file cannot be written.
    """
    chosen = find_format(encoding.format)
    if encoding.samples < 1:
        raise InvalidOption("there are no samples to write", str(path))
    rate = chosen.rate_for(encoding.sample_rate_hz)
    with whole_file(path) as temporary:
        writer = Writer(_open_encoder(temporary, chosen, rate, encoding), encoding, rate)
        try:
            yield writer
            writer.finish()
        finally:
            writer.close()
        _describe(temporary, chosen, encoding, writer.digest)


class Writer:
    """Counts, resamples and passes on the blocks of one file."""

    def __init__(self, encoder: Encoder, encoding: Encoding, codec_rate_hz: int) -> None:
        self._encoder = encoder
        self._announced = encoding.samples
        self._written = 0
        self._hash = hashlib.sha256()
        self._left = round(encoding.samples * codec_rate_hz / encoding.sample_rate_hz)
        self._resampler = None
        self._open = True
        if codec_rate_hz != encoding.sample_rate_hz:
            import soxr

            self._resampler = soxr.ResampleStream(encoding.sample_rate_hz, codec_rate_hz, 1, dtype="float32")

    @property
    def digest(self) -> bytes:
        """SHA-256 of the samples so far."""
        return self._hash.digest()

    def write(self, block: FloatArray) -> None:
        """Write the next samples: shape (N,), float32, within [-1, 1]."""
        self._written += len(block)
        self._hash.update(block.tobytes())
        self._forward(block if self._resampler is None else self._resampler.resample_chunk(block))

    def finish(self) -> None:
        """Write the rest of the resampler, and check the total."""
        if self._written != self._announced:
            raise InferenceFailed(
                "the sound's length differs from the announced one", f"{self._written} of {self._announced} samples"
            )
        if self._resampler is not None:
            self._forward(self._resampler.resample_chunk(np.zeros(0, dtype=np.float32), last=True))
            self._forward(np.zeros(self._left, dtype=np.float32))
        self.close()

    def close(self) -> None:
        if self._open:
            self._open = False
            self._encoder.close()

    def _forward(self, block: FloatArray) -> None:
        block = block[: self._left]
        self._left -= len(block)
        if len(block):
            self._encoder.write(block)


def _open_encoder(path: Path, chosen: Format, rate: int, encoding: Encoding) -> Encoder:
    bitrate = chosen.bitrate_for(encoding.bitrate_kbps)
    if chosen.codec == "aac":
        return AacEncoder(path, chosen.container, rate, bitrate or 0, encoding.tags, encoding.chapters, encoding.cover)
    return LibsndfileEncoder(path, chosen, rate, encoding.samples, bitrate, encoding.tags)


def _describe(path: Path, chosen: Format, encoding: Encoding, digest: bytes) -> None:
    """Write tags, chapters and cover into libsndfile's file, and a serial number that follows from the content."""
    tags, chapters, cover = encoding.tags, encoding.chapters, encoding.cover
    if chosen.tags == "ogg":
        serial = int.from_bytes(digest[:4], "big")
        with rewritten(path) as (source, target):
            ogg.write_tags(source, target, serial, tags, chapters, cover)
    elif chosen.tags == "flac" and (tags or chapters or cover):
        with rewritten(path) as (source, target):
            flac.write_tags(source, target, tags, chapters, cover)
    elif chosen.tags == "id3" and (tags or chapters or cover):
        duration = encoding.samples / encoding.sample_rate_hz
        with rewritten(path) as (source, target):
            target.write(id3.id3_tag(tags, chapters, cover, duration))
            shutil.copyfileobj(source, target, 1 << 20)
