"""Words that are read wrongly more often than others, whatever the dictionaries say."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Final

from koebin.engine.text.features import Feature
from koebin.engine.text.katakana import sounded_alike
from koebin.engine.text.sudachi import name_readings

if TYPE_CHECKING:
    from koebin.engine.text.frontend import Words
    from koebin.engine.text.sudachi import Morpheme

_KANJI: Final = re.compile("[㐀-䶿一-鿿々〆]")
_BOUND: Final = frozenset(("数", "接尾", "代名詞", "固有名詞"))
_FOLLOWING: Final = frozenset(("数", "接尾", "非自立"))
_PREFIXES: Final = frozenset("大小高初前正負後内外生神")
"""Prefixes with two readings; of the others there is little doubt (全, 新, 各)."""


def words_within(words: Words, start: int, end: int) -> list[Feature]:
    """The words that begin in ``text[start:end]``."""
    places = zip(words.features, words.boundaries, strict=False)
    return [word for word, place in places if place is not None and start <= place < end]


def said(words: Words, start: int, end: int, field: str = "pron") -> str:
    """What the words that overlap ``text[start:end]`` are spoken as."""
    spoken, begin = "", 0
    for index, feature in enumerate(words.features):
        here = words.boundaries[index]
        begin = begin if here is None else here
        finish = next((place for place in words.boundaries[index + 1 :] if place is not None), end)
        if begin < end and start < finish:
            spoken += feature[field]
    return spoken.replace("’", "")


def two_readings(words: Words) -> Iterator[tuple[int, int]]:
    """Words of which both readings are usual."""
    for index, start, end in _free_words(words):
        word = words.features[index]
        if (
            not _listed().isdisjoint((word["string"], word["orig"]))
            and word["pos_group1"] != "接尾"
            and not word["is_reading_rewritten"]
        ):
            yield start, end


def names(words: Words) -> Iterator[tuple[int, int]]:
    """Names of persons that are read otherwise too, and places of one kanji."""
    for index, start, end in _free_words(words):
        word = words.features[index]
        place = word["pos_group2"] == "地域" and len(word["string"]) == 1
        if word["pos_group1"] == "固有名詞" and (place or (word["pos_group2"] == "人名" and _has_another(word))):
            yield start, end


def composed(words: Words, known: Sequence[Morpheme]) -> Iterator[tuple[int, int]]:
    """Compounds with a single kanji that stands for itself, which no dictionary has, or reads otherwise."""
    suffixes = {(morpheme.start, morpheme.end) for morpheme in known if morpheme.pos[0] == "接尾辞"}
    for index, start, end in _free_words(words):
        word = words.features[index]
        if len(word["string"]) != 1 or word["pos_group1"] in _BOUND or word["pos"] == "助詞":
            continue
        if word["pos"] == "接頭詞" and word["string"] not in _PREFIXES:
            continue
        if (start, end) in suffixes:
            continue
        first: int | None = start
        last: int | None = end
        if index and _is_noun(words.features[index - 1], before=True):
            first = words.boundaries[index - 1]
        elif index + 1 < len(words.features) and _is_noun(words.features[index + 1], before=False):
            last = words.boundaries[index + 2]
        if first is None or last is None or (first, last) == (start, end):
            continue
        if not _is_known(words, known, first, last):
            yield first, last


def _is_known(words: Words, known: Sequence[Morpheme], start: int, end: int) -> bool:
    """Whether Sudachi has it as one word, or within one, and reads that as it is read."""
    return any(
        morpheme.start <= start
        and end <= morpheme.end
        and sounded_alike(morpheme.reading, said(words, morpheme.start, morpheme.end))
        for morpheme in known
    )


def _free_words(words: Words) -> Iterator[tuple[int, int, int]]:
    """Words in kanji whose place in the text is known, but for the user's: index, start, end."""
    for index, word in enumerate(words.features):
        start, end = words.boundaries[index], words.boundaries[index + 1]
        if start is not None and end is not None and _KANJI.search(word["string"]) and not word["is_reading_protected"]:
            yield index, start, end


def _is_noun(word: Feature, *, before: bool) -> bool:
    if word["is_reading_protected"]:
        return False
    if before:
        polite = word["string"] in ("お", "ご", "御")
        return not polite and word["pos"] in ("名詞", "接頭詞") and word["pos_group1"] not in ("数", "接尾")
    return bool(word["pos"] == "名詞" and word["pos_group1"] not in _FOLLOWING)


def _has_another(word: Feature) -> bool:
    spoken = word["pron"].replace("’", "")
    return not all(sounded_alike(reading, spoken) for reading in name_readings(word["string"]))


@cache
def _listed() -> frozenset[str]:
    text = (resources.files("koebin.engine.text") / "data" / "two_readings.txt").read_text("utf-8")
    return frozenset(word for line in text.splitlines() if not line.startswith("#") for word in line.split())
