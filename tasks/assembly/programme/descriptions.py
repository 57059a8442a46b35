"""Description files of a programme: marks, player page, chapter list, cover."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path

from koebin.engine.audio.encoding.files import translated, whole_file
from koebin.engine.audio.marks import Marks
from koebin.tasks.assembly.programme.block_outline import Outline
from koebin.tasks.assembly.programme.blocks import Block, Place
from koebin.tasks.assembly.programme.epub_writer import EpubBook
from koebin.tasks.assembly.programme.files import MarksFile, open_marks
from koebin.tasks.assembly.programme.layout import Layout
from koebin.tasks.assembly.programme.player import PlayerChapter, PlayerPage
from koebin.tasks.assembly.programme.report import chapter_list
from koebin.tasks.assembly.programme.shelf_metadata import audiobookshelf
from koebin.tasks.assembly.programme.timeline import Slot, Timeline


def write_descriptions(outlines: Iterable[tuple[Block, Outline]], layout: Layout) -> EpubBook | None:
    """Write marks, player page, chapter list and cover in one pass over the blocks' marks.

    Returns:
        The EPUB's text if one is wanted; it is written when the sound is there.
    """
    wanted, timeline = layout.wanted, layout.timeline
    several = len(timeline.speakers) > 1
    page = _player(layout) if wanted.player else None
    book = _book(layout) if wanted.epub else None
    chapter_marks: list[MarksFile] = []
    chapter = 0
    with ExitStack() as stack:
        whole_marks = (
            stack.enter_context(open_marks(layout.folder, layout.stem(0), wanted.subtitles, several))
            if wanted.whole
            else []
        )
        inner = stack.enter_context(ExitStack())
        for place, slot, marks in _placed(outlines, timeline):
            if chapter == 0 or slot.start >= layout.span(chapter).end:
                chapter += 1
                inner.close()
                if wanted.per_chapter:
                    stem = layout.stem(chapter)
                    chapter_marks = inner.enter_context(open_marks(layout.folder, stem, wanted.subtitles, several))
            relative = marks.shifted(-layout.span(chapter).start / timeline.sample_rate_hz)
            for whole in whole_marks:
                whole.add(marks, place.name)
            for one in chapter_marks:
                one.add(relative, place.name)
            if page:
                page.add(marks if wanted.whole else relative, chapter - 1, place.line, place.name)
            if book:
                spoken = relative if wanted.per_chapter else marks
                book.add(spoken, chapter - 1, place.line, place.name, place.text, place.readings)
    if layout.lists_chapters():
        listing = json.dumps(chapter_list(layout), ensure_ascii=False, indent=1)
        _write(layout.folder / "chapters.json", listing.encode())
    if wanted.cover:
        _write(layout.cover_path(), wanted.cover)
    if page:
        _write(layout.folder / "index.html", page.render().encode())
    if wanted.audiobookshelf:
        _write(layout.folder / "metadata.json", audiobookshelf(layout))
    return book


def write_epub(book: EpubBook, layout: Layout) -> None:
    """Write the EPUB with the sound that has been written."""
    numbers = range(1, len(layout.timeline.chapters) + 1)
    audio = {path.name: path for path in map(layout.epub_audio, numbers)}
    with whole_file(layout.epub_path()) as temporary, translated(layout.epub_path()):
        book.write(temporary, audio, layout.cover_path() if layout.wanted.cover else None)


def _book(layout: Layout) -> EpubBook:
    wanted, numbers = layout.wanted, range(1, len(layout.timeline.chapters) + 1)
    return EpubBook(
        title=wanted.title,
        authors=wanted.authors,
        chapters=[layout.title(number) for number in numbers],
        audio=[layout.epub_audio(number).name for number in numbers],
        series=wanted.series,
        volume=wanted.volume,
    )


def _placed(outlines: Iterable[tuple[Block, Outline]], timeline: Timeline) -> Iterator[tuple[Place, Slot, Marks]]:
    """Place of each part, with its marks in seconds since the programme's first sample."""
    slots = timeline.slots()
    for block, outline in outlines:
        for place, marks in zip(block.places, outline.marks(), strict=True):
            slot = next(slots)
            yield place, slot, marks.shifted(slot.start / timeline.sample_rate_hz)


def _player(layout: Layout) -> PlayerPage:
    wanted = layout.wanted
    numbers = range(1, len(layout.timeline.chapters) + 1)
    tracks = [0] if wanted.whole else list(numbers)
    return PlayerPage(
        title=wanted.title,
        author=wanted.author,
        credits=wanted.credits,
        duration_seconds=layout.timeline.duration_seconds,
        tracks=[[path.name for path in layout.audio_paths(number)] for number in tracks],
        chapters=[
            PlayerChapter(
                title=layout.title(number),
                track=0 if wanted.whole else number - 1,
                start=layout.span(number).start / layout.timeline.sample_rate_hz if wanted.whole else 0.0,
                duration_seconds=layout.seconds(number),
            )
            for number in numbers
        ],
        cover=layout.cover_path().name if wanted.cover else "",
        several_speakers=len(layout.timeline.speakers) > 1,
    )


def _write(path: Path, data: bytes) -> None:
    with whole_file(path) as temporary, translated(path):
        temporary.write_bytes(data)
