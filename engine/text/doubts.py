"""Words whose reading is in doubt: guesses, words that another dictionary reads otherwise, and words of two readings.

The second opinion is Sudachi's, which comes with pyopenjtalk-plus. Agreement proves nothing, and a name may be read as
its owner likes; but what is listed here is worth a look. ``benchmarks/readings`` counts how much of what is wrong is
listed, and how much of what is right.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Literal

from koebin.engine.reading import Reading
from koebin.engine.text.frontend import Words, read_sentence, stretches
from koebin.engine.text.given_readings import check_readings
from koebin.engine.text.openjtalk import MAX_CHARS, known_word, unknown_words
from koebin.engine.text.opinions import differing
from koebin.engine.text.risks import composed, names, said, two_readings
from koebin.engine.text.sentences import split_long
from koebin.engine.text.sudachi import morphemes

if TYPE_CHECKING:
    from koebin.engine.text.dictionary import Dictionary

Reason = Literal["unknown", "guessed", "differs", "composed", "name", "usual"]
"""``unknown``: no dictionary has the word, its characters are read one by one; ``guessed``: a Latin word, read by a
model or spelt; ``differs``: two dictionaries read it differently; ``composed``: a compound that no dictionary has, read
word by word; ``name``: a person's name, which may be read as its owner likes; ``usual``: two readings are."""

_KANJI: Final = re.compile("[㐀-䶿一-鿿々〆]")
_LATIN: Final = re.compile("[A-Za-zＡ-Ｚａ-ｚ]{2,}")


@dataclass(frozen=True, slots=True)
class Doubt:
    """A word to look at.

    Attributes:
        start, end: where it stands in the text, in characters.
        reading: how it is spoken now, katakana.
        other: what the second dictionary says; "" if it says nothing.
    """

    start: int
    end: int
    word: str
    reading: str
    reason: Reason
    other: str = ""


def doubts(text: str, readings: Sequence[Reading] = (), dictionary: Dictionary | None = None) -> list[Doubt]:
    """Doubtful words of one sentence, in order; words with a given reading or in ``dictionary`` are not.

    Raises:
        InvalidText, InvalidDictionary, BackendMissing: as ``analyze``.
    """
    found: list[Doubt] = []
    for stretch in stretches(text, check_readings(text, readings)):
        inside = _doubts(stretch.text, stretch.readings, dictionary)
        found += [replace(doubt, start=doubt.start + stretch.start, end=doubt.end + stretch.start) for doubt in inside]
    return found


def _doubts(text: str, readings: Sequence[Reading], dictionary: Dictionary | None) -> list[Doubt]:
    words = read_sentence(text, readings, dictionary)
    settled = [(reading.start, reading.end) for reading in readings]
    settled += _dictionary_spans(text, dictionary)
    found: list[Doubt] = []
    for doubt in [*_unknown(text, words), *_guessed(text, words), *_risky(text, words)]:
        spans = settled + [(earlier.start, earlier.end) for earlier in found]
        if not any(start < doubt.end and doubt.start < end for start, end in spans):
            found.append(doubt)
    return sorted(found, key=lambda doubt: doubt.start)


def _dictionary_spans(text: str, dictionary: Dictionary | None) -> list[tuple[int, int]]:
    if dictionary is None:
        return []
    folded = "".join(unicodedata.normalize("NFKC", char)[:1] or " " for char in text)
    return [match.span() for entry in dictionary.entries for match in re.finditer(re.escape(entry.surface), folded)]


def _unknown(text: str, words: Words) -> Iterator[Doubt]:
    position = 0
    pieces = split_long(words.norm, MAX_CHARS)
    for surface in (surface for piece in pieces for surface in unknown_words(piece)):
        if not _KANJI.search(surface):
            continue
        start = text.find(surface, position)
        if start >= 0:
            position = start + len(surface)
            yield Doubt(start, position, surface, said(words, start, position), "unknown")


def _guessed(text: str, words: Words) -> Iterator[Doubt]:
    for match in _LATIN.finditer(text):
        if not known_word(unicodedata.normalize("NFKC", match.group())):
            yield Doubt(*match.span(), match.group(), said(words, *match.span()), "guessed")


def _risky(text: str, words: Words) -> Iterator[Doubt]:
    known = morphemes(text)
    for start, end, other in differing(text, words, known):
        yield Doubt(start, end, text[start:end], said(words, start, end), "differs", other)
    kinds: tuple[tuple[Reason, Iterator[tuple[int, int]]], ...] = (
        ("usual", two_readings(words)),
        ("composed", composed(words, known)),
        ("name", names(words)),
    )
    for reason, spans in kinds:
        for start, end in spans:
            yield Doubt(start, end, text[start:end], said(words, start, end), reason)
