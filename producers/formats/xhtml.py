"""Paragraphs of an XHTML page, with ruby as readings."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from koebin.engine.content import Reading
from koebin.producers.formats import safe_xml
from koebin.producers.formats.readings import MAX_WORD, parse_reading

_BLOCKS: Final = frozenset(
    """address article aside blockquote body br caption dd details dialog div dl dt fieldset figcaption figure footer
    form h1 h2 h3 h4 h5 h6 header hgroup hr legend li main menu nav ol p pre section summary table tbody td tfoot th
    thead tr ul""".split()  # noqa: SIM905
)
_SILENT: Final = frozenset("head script style rp rtc template object iframe math svg audio video noscript".split())  # noqa: SIM905
_NOTE_MARKS: Final = frozenset(("noteref", "doc-noteref", "doc-backlink"))
_SPACE: Final = re.compile(r"[ \t\r\n\x7f-\x9f]+")
"""White space, and the control characters that books hold by mistake."""
JAPANESE: Final = "\u3000-\u30ff\u3400-\u9fff\uff00-\uffef"
_GAP: Final = re.compile(f"(?<=[{JAPANESE}]) (?=[{JAPANESE}])")


@dataclass(frozen=True, slots=True)
class Block:
    """A paragraph of a page.

    Attributes:
        level: 1 to 6 for a heading, else 0.
        ids: of the elements that begin in it or since the paragraph before it, for links into the page.
    """

    text: str
    readings: tuple[Reading, ...]
    level: int
    ids: tuple[str, ...]


@dataclass(slots=True)
class _Ruby:
    """A ruby element that is being read: its words, each with its reading."""

    pairs: list[list[str]] = field(default_factory=lambda: [["", ""]])
    in_reading: bool = False

    def text(self, data: str) -> None:
        if not self.in_reading and self.pairs[-1][1]:
            self.pairs.append(["", ""])
        self.pairs[-1][1 if self.in_reading else 0] += data


class _Page(safe_xml.Handler):
    def __init__(self, emit: Callable[[Block], None]) -> None:
        super().__init__()
        self._emit = emit
        self._parts: list[str] = []
        self._length = 0
        self._readings: list[Reading] = []
        self._ids: list[str] = []
        self._level = 0
        self._silent: list[str] = []
        self._verbatim = 0
        self._around = ""
        self._ruby: _Ruby | None = None

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        around, self._around = self._around, "link" if tag == "a" and "#" in attributes.get("href", "") else tag
        if self._silent or tag in _SILENT or "hidden" in attributes or _marks_note(self._around, attributes, around):
            self._silent.append(tag)
            return
        if tag in _BLOCKS:
            self._end_block()
        if identity := attributes.get("id"):
            self._ids.append(identity)
        if re.fullmatch("h[1-6]", tag):
            self._level = int(tag[1])
        elif tag == "pre":
            self._verbatim += 1
        elif tag == "ruby":
            self._end_ruby()
            self._ruby = _Ruby()
        elif tag in ("rt", "rb") and self._ruby:
            self._ruby.in_reading = tag == "rt"
        elif tag == "img" and "gaiji" in attributes.get("class", ""):
            self.characters(attributes.get("alt", ""))

    def end(self, tag: str) -> None:
        self._around = ""
        if self._silent:
            self._silent.pop()
            return
        if tag == "rt" and self._ruby:
            self._ruby.in_reading = False
        elif tag == "ruby":
            self._end_ruby()
        elif tag == "pre":
            self._verbatim -= 1
        if tag in _BLOCKS:
            self._end_block()

    def characters(self, content: str) -> None:
        if self._silent:
            return
        if self._ruby:
            self._ruby.text(content)
        elif self._verbatim and "\n" in content:
            first, *more = content.split("\n")
            self._append(first)
            for line in more:
                self._end_block()
                self._append(line)
        else:
            self._append(content)

    def _append(self, text: str) -> None:
        text = _SPACE.sub(" ", text)
        if not self._parts or self._parts[-1].endswith(" "):
            text = text.lstrip(" ")
        if text:
            self._parts.append(text)
            self._length += len(text)

    def _end_ruby(self) -> None:
        ruby, self._ruby = self._ruby, None
        if not ruby:
            return
        words = [_SPACE.sub("", word) for word, _ in ruby.pairs]
        spoken = [parse_reading(reading) for _, reading in ruby.pairs]
        if all(each and each.accent is None for each in spoken):
            # One reading for the whole word: its accent depends on all of it.
            self._read("".join(words), "".join(each.kana for each in spoken if each), None)
            return
        for word, each in zip(words, spoken, strict=True):
            if each:
                self._read(word, each.kana, each.accent)
            else:
                self._append(word)

    def _read(self, word: str, kana: str, accent: int | None) -> None:
        start = self._length
        self._append(word)
        if 0 < self._length - start <= MAX_WORD:
            self._readings.append(Reading(start, self._length, kana, accent))

    def _end_block(self) -> None:
        self._end_ruby()
        text = "".join(self._parts)
        if text.strip():
            self._emit(Block(*without_gaps(text, self._readings), self._level, tuple(self._ids)))
            self._ids = []
            self._level = 0
        self._parts, self._length, self._readings = [], 0, []


def read_page(page: str, emit: Callable[[Block], None], what: str) -> None:
    """Hand every paragraph of a page to ``emit``, in order; ``what`` names the page.

    Raises:
        InvalidScript: it is not well-formed.
    """
    safe_xml.parse(page, _Page(emit), what)


def _marks_note(tag: str, attributes: dict[str, str], around: str) -> bool:
    """Whether this is the raised number of a note, or the arrow back from it: the note itself is read."""
    kinds = {*attributes.get("type", "").split(), *attributes.get("role", "").split()}
    return bool(kinds & _NOTE_MARKS) or {tag, around} == {"link", "sup"}


def without_gaps(text: str, readings: list[Reading]) -> tuple[str, tuple[Reading, ...]]:
    """Take out the spaces that a line break left between two Japanese characters."""
    gaps = [match.start() for match in _GAP.finditer(text)]
    if not gaps:
        return text, tuple(readings)

    def moved(offset: int) -> int:
        return offset - bisect_left(gaps, offset)

    shifted = tuple(Reading(moved(each.start), moved(each.end), each.kana, each.accent) for each in readings)
    return _GAP.sub("", text), shifted
