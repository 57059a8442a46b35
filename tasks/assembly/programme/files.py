"""Audio and marks files of one span of a programme: the whole, or a chapter."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TextIO

import numpy as np

from koebin.engine.audio.encoding import Encoding, Writer, find_format, open_writer
from koebin.engine.audio.encoding.files import translated, whole_file
from koebin.engine.audio.encoding.joined import FlacJoiner, open_joined
from koebin.engine.audio.marks import Marks
from koebin.engine.audio.subtitles import SubtitleFormat, subtitle_format
from koebin.tasks.assembly.programme.block_pipeline import FinishedBlock

_BLOCK_SAMPLES = 65_536
_MEDIA_TYPES = {
    "srt": "application/x-subrip",
    "vtt": "text/vtt",
    "lab": "text/plain",
    "json": "application/json",
    "html": "text/html",
    "epub": "application/epub+zip",
}


@dataclass(frozen=True, slots=True)
class File:
    """One finished file.

    Attributes:
        path: of the file.
        kind: ``audio``, ``marks``, ``chapters``, ``player``, ``cover``, ``epub`` or ``metadata``.
        format: of audio or marks; otherwise the suffix.
        media_type: for HTTP.
        bytes: its size.
        sha256: of its content, hexadecimal.
        chapter: 1-based number of the chapter, 0 for the whole programme.
        duration_seconds: of the sound that it holds or belongs to.
    """

    path: Path
    kind: str
    format: str
    media_type: str
    bytes: int
    sha256: str
    chapter: int = 0
    duration_seconds: float = 0.0


def finished(path: Path, kind: str, *, chapter: int = 0, duration_seconds: float = 0.0) -> File:
    """Description of a written file."""
    suffix = path.suffix.removeprefix(".")
    media_type = find_format(suffix).media_type if kind == "audio" else _MEDIA_TYPES.get(suffix, f"image/{suffix}")
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return File(path, kind, suffix, media_type, path.stat().st_size, digest, chapter, duration_seconds)


@contextmanager
def open_audio(
    folder: Path, stem: str, formats: Sequence[str], encoding: Encoding, *, variable: bool
) -> Iterator[list[Callable[[FinishedBlock], None]]]:
    """For each format a function that accepts the blocks in order; all files appear together at the end.

    Args:
        variable: see ``open_joined``.
    """
    with ExitStack() as stack:
        takers: list[Callable[[FinishedBlock], None]] = []
        for name in formats:
            path, chosen = folder / audio_name(stem, name), replace(encoding, format=name)
            if name == "flac":
                takers.append(_joining(stack.enter_context(open_joined(path, chosen, variable=variable))))
            else:
                takers.append(_writing(stack.enter_context(open_writer(path, chosen))))
        yield takers


def _joining(joiner: FlacJoiner) -> Callable[[FinishedBlock], None]:
    def write_block(block: FinishedBlock) -> None:
        if block.frames is not None:
            joiner.add(block.frames)

    return write_block


def _writing(writer: Writer) -> Callable[[FinishedBlock], None]:
    def write_block(block: FinishedBlock) -> None:
        sound = block.sound if block.sound is not None else np.zeros(0, dtype=np.float32)
        for first in range(0, len(sound), _BLOCK_SAMPLES):
            writer.write(sound[first : first + _BLOCK_SAMPLES])

    return write_block


class MarksFile:
    """Subtitle or marks file that grows with the programme."""

    def __init__(self, file: TextIO, path: Path, chosen: SubtitleFormat) -> None:
        self._file = file
        self._path = path
        self._chosen = chosen
        self._held: tuple[Marks, str | None] | None = None
        self._write(chosen.head())

    def add(self, marks: Marks, name: str | None) -> None:
        """Add the next marks, in seconds from the start of this file's sound; ``name`` as in ``Place``."""
        if not any(marks.levels()):
            return
        self._flush(min(level[0].start for level in marks.levels() if level))
        self._held = marks, name

    def finish(self) -> None:
        self._flush(None)
        self._write(self._chosen.foot())

    def _flush(self, following: float | None) -> None:
        """Write the marks before the ones that begin at ``following``."""
        if self._held:
            self._write(self._chosen.body(*self._held, following))
        self._held = None

    def _write(self, text: str) -> None:
        with translated(self._path):
            self._file.write(text)


@contextmanager
def open_marks(folder: Path, stem: str, wanted: Sequence[str], speakers: bool) -> Iterator[list[MarksFile]]:
    """One marks file for each wanted ``format`` or ``format:level``; all appear together at the end."""
    with ExitStack() as stack:
        files = [stack.enter_context(_open_one(folder / marks_name(stem, one), one, speakers)) for one in wanted]
        yield files
        for file in files:
            file.finish()


def marks_name(stem: str, wanted: str) -> str:
    """``book.srt`` for ``srt``, ``book.word.vtt`` for ``vtt:word``."""
    name, _, level = wanted.partition(":")
    return f"{stem}.{level}.{name}" if level else f"{stem}.{name}"


@contextmanager
def _open_one(path: Path, wanted: str, speakers: bool) -> Iterator[MarksFile]:
    chosen = subtitle_format(*wanted.split(":", 1), speakers=speakers)
    with whole_file(path) as temporary, temporary.open("w", encoding="utf-8", newline="\n") as file:
        yield MarksFile(file, path, chosen)


def audio_name(stem: str, name: str) -> str:
    """``book.opus`` for the format ``opus``."""
    return f"{stem}{find_format(name).suffix}"
