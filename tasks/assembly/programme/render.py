"""Rendering of a programme: from spoken sentences to finished files."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from koebin.engine.audio.encoding.flac_frames import BLOCK_FRAMES
from koebin.engine.errors import InvalidInput
from koebin.tasks.assembly.programme.block_cache import NoShelf, Shelf
from koebin.tasks.assembly.programme.block_pipeline import FinishedBlock, Material
from koebin.tasks.assembly.programme.blocks import Block
from koebin.tasks.assembly.programme.deliverables import Deliverables
from koebin.tasks.assembly.programme.descriptions import write_descriptions, write_epub
from koebin.tasks.assembly.programme.files import File, open_audio
from koebin.tasks.assembly.programme.layout import Layout
from koebin.tasks.assembly.programme.mastering import plan_master
from koebin.tasks.assembly.programme.report import make_report
from koebin.tasks.assembly.programme.timeline import Timeline


@dataclass(frozen=True, slots=True)
class Programme:
    """Finished programme.

    Attributes:
        files: all that was written; the whole's audio first, then the chapters', marks, chapter list, cover, player.
        report: JSON-compatible: length, loudness before and after, gain, overshoot, chapters, and every file with its
            size and SHA-256. A loudness or peak of silence is None.
    """

    files: tuple[File, ...]
    report: dict[str, Any]


def render_programme(
    blocks: Sequence[Block],
    wanted: Deliverables,
    workdir: Path,
    check: Callable[[], None] = lambda: None,
    shelf: Shelf = NoShelf(),  # noqa: B008
) -> Programme:
    """Join, level, encode and describe a programme, in memory that does not grow with its length.

    What is not on the shelf is fetched once and kept in a temporary file in ``workdir`` meanwhile: four bytes a sample,
    0.7 GB an hour at 48 kHz. The same blocks give the same bytes in every file, whatever was on the shelf.

    Args:
        blocks: in order, with at least one part.
        wanted: the requested files.
        workdir: an existing folder that nothing else writes to; every file is put there and stays there.
        check: called for every block while files are written; what it raises ends the work, and no file is left half
            written. (A block's ``load`` may raise as well.)
        shelf: where outlines and FLAC frames of blocks are kept for another programme that has them, too.

    Raises:
        InvalidInput: no parts, a part that cannot be decoded (names its line), chapters out of order.
        BackendMissing: M4A or M4B is wanted and the extra ``m4b`` is not installed.
        StoreFull, StoreDenied, StoreNotFound: ``workdir`` cannot be written to.
    """
    if not any(block.places for block in blocks):
        raise InvalidInput("there is nothing to assemble", "", "Give at least one part with sound")
    rate = wanted.sample_rate_hz or blocks[0].load()[0].sound().sample_rate_hz
    with Material(blocks, rate, shelf, check, workdir).opened() as material:
        timeline, sections, lengths = Timeline(rate), [], []
        for block, outline in material.survey():
            for place, (spoken, silence) in zip(block.places, outline.spans, strict=True):
                timeline.add(place, spoken, silence)
            sections.append(outline.section)
            lengths.append(outline.samples)
        if timeline.samples == 0:
            raise InvalidInput("there is nothing to assemble", "", "Give at least one part with sound")
        master, achieved = plan_master(sections, wanted, material.mastered)
        layout = Layout(wanted, timeline, workdir)
        sound = any(name != "flac" for name in wanted.formats)
        finished = material.finished(master, sections, sound=sound, flac="flac" in wanted.formats)
        with material.beside(lambda: _write_audio(finished, lengths, layout)) as audio:
            book = write_descriptions(material.outlines(), layout)
            sounds = audio()
            if book:
                write_epub(book, layout)
            files = (*sounds, *layout.finished_descriptions())
    return Programme(files, make_report(layout, master, achieved, files))


def _write_audio(blocks: Iterator[FinishedBlock], lengths: Sequence[int], layout: Layout) -> tuple[File, ...]:
    """Encode the whole and the chapters in one pass."""
    position = 0
    remaining = iter(lengths)
    with ExitStack() as stack:
        whole = stack.enter_context(_open(layout, 0, lengths)) if layout.wanted.whole else []
        for number, span in enumerate(layout.timeline.chapters, start=1):
            inside = []
            while position < span.end:
                inside.append(next(remaining))
                position += inside[-1]
            with ExitStack() as inner:
                chapter = inner.enter_context(_open(layout, number, inside)) if layout.wanted.per_chapter else []
                for _ in inside:
                    block = next(blocks)
                    for write_block in [*whole, *chapter]:
                        write_block(block)
    return layout.finished_audio()


def _open(
    layout: Layout, number: int, lengths: Sequence[int]
) -> AbstractContextManager[list[Callable[[FinishedBlock], None]]]:
    variable = any(length % BLOCK_FRAMES for length in lengths[:-1])
    encoding = layout.encoding(number)
    return open_audio(layout.folder, layout.stem(number), layout.wanted.formats, encoding, variable=variable)
