"""Words whose reading is in doubt: where Open JTalk guesses, and where another dictionary reads otherwise.

The second opinion is Sudachi's, which comes with pyopenjtalk-plus. Agreement proves nothing, and a name may be read as
its owner likes; but what is listed here is worth a look.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final, Literal

from koebin.engine.content import Reading
from koebin.engine.text.frontend import Words, read_sentence
from koebin.engine.text.openjtalk import MAX_CHARS, known_word, unknown_words
from koebin.engine.text.sentences import split_long

if TYPE_CHECKING:
    from koebin.engine.text.dictionary import Dictionary

Reason = Literal["unknown", "guessed", "differs"]
"""``unknown``: no dictionary has the word, its characters are read one by one; ``guessed``: a Latin word, read by a
model or spelt; ``differs``: two dictionaries read it differently."""

MAX_BYTES: Final = 40_000
"""What Sudachi takes at once is a little more."""
_KANJI: Final = re.compile("[㐀-䶿一-鿿々〆]")
_LATIN: Final = re.compile("[A-Za-zＡ-Ｚａ-ｚ]{2,}")
_FIGURES: Final = re.compile("[0-9０-９〇一二三四五六七八九十百千万億兆]")
_SPELLINGS: Final = (
    (re.compile("([オコソトノホモヨロゴゾドボポョォ])[ウオ]"), r"\1ー"),
    (re.compile("([エケセテネヘメレゲゼデベペェ])[イエ]"), r"\1ー"),
    (re.compile("([ウクスツヌフムユルグズブプュゥ])ウ"), r"\1ー"),
)


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
    words = read_sentence(text, readings, dictionary)
    settled = [(reading.start, reading.end) for reading in readings]
    settled += _dictionary_spans(text, dictionary)
    found: list[Doubt] = []
    for doubt in [*_unknown(text, words), *_guessed(text, words), *_differing(text, words)]:
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
            yield Doubt(start, position, surface, _said(words, start, position), "unknown")


def _guessed(text: str, words: Words) -> Iterator[Doubt]:
    for match in _LATIN.finditer(text):
        if not known_word(unicodedata.normalize("NFKC", match.group())):
            yield Doubt(*match.span(), match.group(), _said(words, *match.span()), "guessed")


def _differing(text: str, words: Words) -> Iterator[Doubt]:
    """Stretches between places where both cut the text, and which they read differently."""
    if len(text.encode()) > MAX_BYTES:
        return
    morphemes = list(_sudachi().tokenize(text))
    ours = {boundary for boundary in words.boundaries if boundary is not None}
    edges = sorted(ours & {0, *(morpheme.end() for morpheme in morphemes)})
    for start, end in pairwise(edges):
        word = text[start:end]
        inside = [morpheme for morpheme in morphemes if start <= morpheme.begin() < end]
        if not _KANJI.search(word) or _FIGURES.search(word) or any(map(_mute, inside)):
            continue
        other = "".join(morpheme.reading_form() for morpheme in inside)
        spoken = {_folded(_said(words, start, end)), _folded(_said(words, start, end, "read"))}
        if _folded(other) not in spoken:
            yield Doubt(start, end, word, _said(words, start, end), "differs", other)


def _said(words: Words, start: int, end: int, field: str = "pron") -> str:
    """What the words that overlap ``text[start:end]`` are spoken as."""
    said, begin = "", 0
    for index, feature in enumerate(words.features):
        here = words.boundaries[index]
        begin = begin if here is None else here
        finish = next((place for place in words.boundaries[index + 1 :] if place is not None), end)
        if begin < end and start < finish:
            said += feature[field]
    return said.replace("’", "")


def _mute(morpheme: Any) -> bool:
    """Sudachi has no reading for it: it does not know the word, or it is a mark."""
    return bool(morpheme.is_oov()) or morpheme.part_of_speech()[0] in ("補助記号", "空白")


def _folded(kana: str) -> str:
    """One spelling for readings that sound alike."""
    kana = kana.replace("ヅ", "ズ").replace("ヂ", "ジ").replace("ヲ", "オ")
    for pattern, replacement in _SPELLINGS:
        kana = pattern.sub(replacement, kana)
    return kana


@cache
def _sudachi() -> Any:
    import sudachipy

    return sudachipy.Dictionary(dict="core").tokenizer(mode=sudachipy.SplitMode.C)
