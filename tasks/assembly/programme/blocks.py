"""Blocks of a programme: about half a minute each, measured, encoded and cached by itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from koebin.engine.reading import Reading
from koebin.tasks.assembly.programme.deliverables import Part


@dataclass(frozen=True, slots=True)
class Place:
    """Position of a part, which may change without a change of its sound.

    Attributes:
        chapter: number of the chapter, from 0; never falls from one part to the next.
        chapter_title: of that chapter, the same in all of its parts.
        line: line in the script; another line begins a paragraph on the player page.
        speaker: name of the speaker.
        name: the speaker's name for listeners; "" for a narrator; None: ``speaker``.
        text, readings: what the script says there, with the ruby that a book keeps.
    """

    chapter: int = 0
    chapter_title: str = ""
    line: int = 0
    speaker: str = ""
    name: str | None = None
    text: str = ""
    readings: tuple[Reading, ...] = ()


@dataclass(frozen=True, slots=True)
class Block:
    """Consecutive parts of one chapter.

    Attributes:
        places: of its parts.
        load: gives the parts; called when their sound or marks are needed, perhaps again later, from several threads.
        identity: everything that decides what ``load`` gives; "" where nobody can say. What is kept of a block is
            found again under it.
    """

    places: Sequence[Place]
    load: Callable[[], Sequence[Part]]
    identity: str = ""
