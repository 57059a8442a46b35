"""From spoken sentences to finished files."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.encoding import Writer
from engine.errors import InvalidInput
from engine.loudness import Loudness, LoudnessMeter
from tasks.programme.descriptions import write_descriptions
from tasks.programme.files import File, open_audio
from tasks.programme.layout import Layout
from tasks.programme.mastering import plan_master, survey
from tasks.programme.parts import Deliverables, Parts
from tasks.programme.report import make_report
from tasks.programme.spool import open_spool

FloatArray = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Programme:
    """A finished programme.

    Attributes:
        files: all that was written; the whole's audio first, then the chapters', marks, chapter list, cover, player.
        report: JSON-compatible: length, loudness before and after, gain, overshoot, chapters, and every file with its
            size and SHA-256. A loudness or peak of silence is None.
    """

    files: tuple[File, ...]
    report: dict[str, Any]


def render_programme(
    parts: Parts, wanted: Deliverables, workdir: Path, check: Callable[[], None] = lambda: None
) -> Programme:
    """Join, level, encode and describe a programme, in memory that does not grow with its length.

    ``parts`` is called twice: once for the sound (each part is loaded once), once for texts and marks. It must give
    equal parts each time. The sound is kept in a temporary file in ``workdir`` meanwhile: four bytes a sample, 0.7 GB
    an hour at 48 kHz. The same parts give the same bytes in every file.

    Args:
        parts: the sentences in order, at least one; ``Part.sound`` is best a function or a path, so that a part is
            fetched when its turn comes.
        wanted: the files to be written.
        workdir: an existing folder that nothing else writes to; every file is put there and stays there.
        check: called every few seconds of sound while files are written; what it raises ends the work, and no file is
            left half written. (``parts`` may raise as well.)

    Raises:
        InvalidInput: no parts, a part that cannot be decoded (names its line), chapters out of order.
        InferenceFailed: the second call gave other parts than the first.
        BackendMissing: M4A or M4B is wanted and the extra ``m4b`` is not installed.
        StoreFull, StoreDenied, StoreNotFound: ``workdir`` cannot be written to.
    """
    with open_spool(workdir, check) as spool:
        timeline, measured = survey(parts, wanted.sample_rate_hz, spool)
        if timeline.frames == 0:
            raise InvalidInput("there is nothing to assemble", "", "Give at least one part with sound")
        master = plan_master(spool, timeline, measured, wanted)
        layout = Layout(wanted, timeline, workdir)
        achieved = _write_audio(master.apply(spool.blocks(timeline), timeline.sample_rate_hz), layout)
    write_descriptions(parts, layout)
    files = layout.finished()
    return Programme(files, make_report(layout, master, achieved, files))


def _write_audio(sound: Iterator[FloatArray], layout: Layout) -> Loudness:
    """Encode the whole and the chapters in one pass; returns what a meter reads on the way."""
    meter = LoudnessMeter(layout.timeline.sample_rate_hz)
    remaining = _Cutter(sound)
    with ExitStack() as stack:
        whole = stack.enter_context(_open(layout, 0)) if layout.wanted.whole else []
        for number, span in enumerate(layout.timeline.chapters, start=1):
            with ExitStack() as inner:
                chapter = inner.enter_context(_open(layout, number)) if layout.wanted.per_chapter else []
                for block in remaining.take(span.end - span.start):
                    meter.update(block)
                    for writer in [*whole, *chapter]:
                        writer.write(block)
    return meter.read()


def _open(layout: Layout, number: int) -> AbstractContextManager[list[Writer]]:
    return open_audio(layout.folder, layout.stem(number), layout.wanted.formats, layout.encoding(number))


class _Cutter:
    """Hands out a stream of blocks in portions of given lengths."""

    def __init__(self, blocks: Iterator[FloatArray]) -> None:
        self._blocks = blocks
        self._rest: FloatArray = np.zeros(0, dtype=np.float32)

    def take(self, frames: int) -> Iterator[FloatArray]:
        """The next ``frames`` samples; fewer only at the end of the stream."""
        while frames > 0:
            block = self._rest if len(self._rest) else next(self._blocks, None)
            if block is None:
                return
            portion, self._rest = block[:frames], block[frames:]
            frames -= len(portion)
            if len(portion):
                yield portion
