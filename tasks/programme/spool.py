"""The spoken samples of a programme at its one rate, in a temporary file.

Each part is fetched, decoded and resampled once, however many passes follow.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from engine.audio import resample
from engine.encoding.files import translated
from engine.errors import InvalidInput, StoreError
from tasks.programme.parts import Part
from tasks.programme.timeline import Timeline

FloatArray = NDArray[np.float32]

_BLOCK_FRAMES = 65_536
_BYTES = 4


class Spool:
    """Float samples on disk: four bytes for each."""

    def __init__(self, file: BinaryIO, path: Path, check: Callable[[], None]) -> None:
        self._file = file
        self._path = path
        self._check = check

    def add(self, part: Part, timeline: Timeline, sample_rate_hz: int | None) -> FloatArray:
        """Fetch the next part's sound, place it, keep it, and return it: shape (N,), at the programme's rate.

        Raises:
            InvalidInput: it cannot be decoded; names the part's line.
            StoreFull: no space is left beside the files to come.
        """
        try:
            audio = part.load()
        except InvalidInput as error:
            raise InvalidInput(error.what, error.value, error.hint, part.line) from error
        if not timeline.sample_rate_hz:
            timeline.sample_rate_hz = sample_rate_hz or audio.sample_rate_hz
        samples = resample(audio.samples, audio.sample_rate_hz, timeline.sample_rate_hz)
        timeline.add(part, len(samples))
        with translated(self._path):
            self._file.write(samples.tobytes())
        return samples

    def blocks(self, timeline: Timeline) -> Iterator[FloatArray]:
        """The whole programme, pauses and all, in blocks of limited size."""
        with translated(self._path):
            self._file.flush()
            self._file.seek(0)
        for slot in timeline.slots():
            self._check()
            yield from self._spoken(slot.spoken)
            yield from silence(slot.end - slot.start - slot.spoken)

    def _spoken(self, frames: int) -> Iterator[FloatArray]:
        for first in range(0, frames, _BLOCK_FRAMES):
            wanted = min(_BLOCK_FRAMES, frames - first)
            with translated(self._path):
                data = self._file.read(wanted * _BYTES)
            if len(data) != wanted * _BYTES:
                raise StoreError("a temporary file has been cut short", str(self._path), "Free some space")
            yield np.frombuffer(data, dtype=np.float32)


def silence(frames: int) -> Iterator[FloatArray]:
    """``frames`` samples of silence in blocks of limited size."""
    for first in range(0, frames, _BLOCK_FRAMES):
        yield np.zeros(min(_BLOCK_FRAMES, frames - first), dtype=np.float32)


@contextmanager
def open_spool(folder: Path, check: Callable[[], None]) -> Iterator[Spool]:
    """A spool that is gone when the context ends, or when the process does; ``check`` is called before each part."""
    with translated(folder / "sound"):
        file = tempfile.TemporaryFile(dir=folder, prefix=".sound-")  # noqa: SIM115
    with file:
        yield Spool(file, folder / "sound", check)
