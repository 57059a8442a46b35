"""Script: the form of every input: passages in reading order, each with a speaker and options."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from koebin.engine.options import SynthesisOptions
from koebin.engine.reading import Reading
from koebin.engine.text.dictionary import Dictionary

Ending = Literal["span", "sentence", "paragraph", "chapter"]
"""Unit that a passage ends; ``span`` leaves no pause at all (a change of speaker or style inside a sentence)."""


@dataclass(frozen=True, slots=True)
class Passage:
    """Run of text by one speaker with one set of options; one or more sentences.

    Attributes:
        text: to be spoken, without markup; never empty.
        speaker: name of the speaker.
        name: the script's own name for the speaker, "" if it has none.
        options: synthesis options.
        readings: spans of ``text`` with their reading.
        chapter: index into ``Script.chapters``.
        line: 1-based line of the input, 0 if the input has no lines.
        ends: decides the pause that follows.
        pause: seconds of an explicit pause that follows, instead of the one ``ends`` asks for.
        item: id of the item this passage belongs to, where every item becomes a file of its own; "" elsewhere.
        lead: seconds of silence before it, at the beginning of a file.
        start, end: seconds of its place in a track that something else gives, such as a film's subtitles.
    """

    text: str
    speaker: str
    options: SynthesisOptions = SynthesisOptions()
    readings: tuple[Reading, ...] = ()
    chapter: int = 0
    line: int = 0
    ends: Ending = "paragraph"
    pause: float | None = None
    item: str = ""
    name: str = ""
    lead: float = 0.0
    start: float | None = None
    end: float | None = None


@dataclass(frozen=True, slots=True)
class Chapter:
    """Part of a script with a title of its own ("" if it has none)."""

    title: str = ""


@dataclass(frozen=True, slots=True)
class Cover:
    """Cover picture."""

    data: bytes
    media_type: Literal["image/jpeg", "image/png"]


@dataclass(frozen=True, slots=True)
class LineError:
    """Line of a line list that cannot be spoken; the other lines still are."""

    line: int
    item: str
    message: str


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Something of the input that nothing is said for, while all around it is spoken.

    Attributes:
        line, column: its place as far as it has one, else 0; a book's paragraphs count as lines.
        text: what it is.
        reason: why it cannot be spoken.
    """

    line: int
    text: str
    reason: str
    column: int = 0
    item: str = ""


@dataclass(frozen=True, slots=True)
class Script:
    """Parsed input of a narration.

    Attributes:
        passages: in reading order.
        chapters: at least one.
        title, author: "" if the input names none.
        series, volume: the series that the work belongs to, and its place there; "" if the input names none.
        cover: picture for containers that can hold one.
        dictionary: readings that hold for the whole script.
        items: every item (see ``Passage.item``) becomes a file of its own.
        errors: lines that were refused; only where ``items``.
        output: output options that the input sets, named as on the command line.
        left_out: what is silent, in the order of the input.
        warnings: what is spoken otherwise than the input has it, such as cues that overlap.
    """

    passages: Sequence[Passage]
    chapters: tuple[Chapter, ...] = (Chapter(),)
    title: str = ""
    author: str = ""
    cover: Cover | None = None
    dictionary: Dictionary = field(default_factory=Dictionary)
    items: bool = False
    errors: tuple[LineError, ...] = ()
    output: Mapping[str, Any] = field(default_factory=dict)
    series: str = ""
    volume: str = ""
    left_out: tuple[LeftOut, ...] = ()
    warnings: tuple[LineError, ...] = ()

    def without_items(self, refused: Mapping[str, str]) -> Script:
        """The list without some of its items, each of which becomes an error with its reason."""
        if not refused:
            return self
        lines: dict[str, int] = {}
        for passage in self.passages:
            lines.setdefault(passage.item, passage.line)
        errors = [LineError(lines.get(item, 0), item, reason) for item, reason in refused.items()]
        return replace(
            self,
            passages=tuple(passage for passage in self.passages if passage.item not in refused),
            errors=tuple(sorted((*self.errors, *errors), key=lambda error: error.line)),
        )
