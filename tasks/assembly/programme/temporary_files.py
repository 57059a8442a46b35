"""Temporary files of a programme's blocks: samples at the programme's rate, and outlines.

Each part is fetched, decoded and resampled once, however many passes follow.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from koebin.engine.audio.encoding.files import translated
from koebin.engine.errors import StoreError

FloatArray = NDArray[np.float32]


class Spool:
    """Bytes on disk by the number of their block; readable from any thread."""

    def __init__(self, file: BinaryIO, path: Path) -> None:
        self._file = file
        self._path = path
        self._places: dict[int, tuple[int, int]] = {}
        self._end = 0

    def __contains__(self, number: int) -> bool:
        return number in self._places

    def add(self, number: int, data: bytes) -> None:
        """Write a block's bytes. Raises: StoreFull: no space is left beside the files to come."""
        with translated(self._path):
            self._file.write(data)
            self._file.flush()
        self._places[number] = self._end, len(data)
        self._end += len(data)

    def read(self, number: int) -> bytes:
        """Bytes of a block."""
        start, size = self._places[number]
        with translated(self._path):
            data = os.pread(self._file.fileno(), size, start)
        if len(data) != size:
            raise StoreError("a temporary file was truncated", str(self._path), "Free some disk space on the worker")
        return data


@contextmanager
def open_spools(folder: Path) -> Iterator[tuple[Spool, Spool]]:
    """Two spools, for samples and for outlines; they vanish when the context or the process ends."""
    with ExitStack() as stack:
        spools = []
        for name in ("sound", "outlines"):
            with translated(folder / name):
                file = tempfile.TemporaryFile(dir=folder, prefix=f".{name}-")  # noqa: SIM115
            spools.append(Spool(stack.enter_context(file), folder / name))
        yield spools[0], spools[1]
