"""Words whose reading is in doubt: guesses of Open JTalk, and words that another dictionary reads otherwise.

The second opinion is Sudachi's, which comes with pyopenjtalk-plus. Agreement proves nothing, and a name may be read as
its owner likes; but what is listed here is worth a look.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Final, Literal

from koebin.engine.reading import Reading
from koebin.engine.text.features import Feature
from koebin.engine.text.frontend import Words, read_sentence
from koebin.engine.text.katakana import sounded_alike
from koebin.engine.text.openjtalk import MAX_CHARS, known_word, unknown_words
from koebin.engine.text.sentences import split_long
from koebin.engine.text.sudachi import morphemes

if TYPE_CHECKING:
    from koebin.engine.text.dictionary import Dictionary

Reason = Literal["unknown", "guessed", "differs", "composed", "name"]
"""``unknown``: no dictionary has the word, its characters are read one by one; ``guessed``: a Latin word, read by a
model or spelt; ``differs``: two dictionaries read it differently; ``composed``: a compound that no dictionary has, read
word by word; ``name``: a person's name, which may be read as its owner likes."""

_KANJI: Final = re.compile("[㐀-䶿一-鿿々〆]")
_LATIN: Final = re.compile("[A-Za-zＡ-Ｚａ-ｚ]{2,}")
_FIGURES: Final = re.compile("[0-9０-９〇一二三四五六七八九十百千万億兆]")
_BOTH_USUAL: Final = frozenset(
    (
        ("私", "ワタクシ"),
        ("日本", "ニッポン"),
        ("何", "ナン"),
        ("言う", "ユウ"),
        ("他", "タ"),
        ("明日", "アス"),
        ("小さな", "チイサナ"),
    )
)
"""Words with the reading of the second dictionary that is as usual as the one that is spoken."""


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
    for doubt in [*_unknown(text, words), *_guessed(text, words), *_differing(text, words), *_composed(words)]:
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
    known = morphemes(text)
    if not known:
        return
    ours = {boundary for boundary in words.boundaries if boundary is not None}
    edges = sorted(ours & {0, *(morpheme.end for morpheme in known)})
    for start, end in pairwise(edges):
        word = text[start:end]
        inside = [morpheme for morpheme in known if start <= morpheme.start < end]
        if not _KANJI.search(word) or _FIGURES.search(word) or not all(morpheme.reading for morpheme in inside):
            continue
        other = "".join(morpheme.reading for morpheme in inside)
        said = _said(words, start, end)
        if sounded_alike(other, said) or sounded_alike(other, _said(words, start, end, "read")):
            continue
        if (word, other) not in _BOTH_USUAL:
            yield Doubt(start, end, word, said, "differs", other)


def _composed(words: Words) -> Iterator[Doubt]:
    """Compounds that no dictionary has, put together of a kanji and another noun, and names of persons."""
    for index, word in enumerate(words.features):
        start, end = words.boundaries[index], words.boundaries[index + 1]
        if start is None or end is None or not _KANJI.search(word["string"]) or word["is_reading_protected"]:
            continue
        if word["pos_group1"] == "固有名詞" and (word["pos_group2"] == "人名" or len(word["string"]) == 1):
            yield Doubt(start, end, word["string"], word["pron"].replace("’", ""), "name")
        elif index and _composes(words.features[index - 1], word):
            before = words.boundaries[index - 1]
            if before is not None:
                surface = words.features[index - 1]["string"] + word["string"]
                yield Doubt(before, end, surface, _said(words, before, end), "composed")


def _composes(before: Feature, word: Feature) -> bool:
    """Whether the two nouns make a compound of which one is a single kanji that is no affix."""
    if before["pos"] != "名詞" or word["pos"] != "名詞" or before["is_reading_protected"]:
        return False
    if "数" in (before["pos_group1"], word["pos_group1"]) or not _KANJI.search(before["string"]):
        return False
    first = len(before["string"]) == 1 and before["pos_group1"] in (
        "一般",
        "固有名詞",
        "非自立",
        "副詞可能",
        "形容動詞語幹",
    )
    return first or (len(word["string"]) == 1 and word["pos_group1"] in ("一般", "固有名詞", "形容動詞語幹"))


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
