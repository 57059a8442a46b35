"""Names of persons: Sudachi's reading where it sees a surname and a given name, or a given name that stands alone."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cache
from importlib import resources
from itertools import pairwise
from typing import Final

from koebin.engine.text.features import Feature
from koebin.engine.text.katakana import sounded_alike, spelt_as_said
from koebin.engine.text.rereading import merge, reread
from koebin.engine.text.sudachi import Morpheme

_KANJI: Final = re.compile("[㐀-䶿一-鿿々]")
_NUMERALS: Final = "〇一二三四五六七八九十百千万億兆"
_FIGURES: Final = re.compile(f"[{_NUMERALS}]")
_NUMBERED: Final = re.compile(f"[一二三四五六七八九十]*[^{_NUMERALS}]*郎|[^{_NUMERALS}]+[一二三四五六七八]|[三八]千代")
"""Given names with a figure: 三四郎, 栄二, 三千代."""
_CHINESE: Final = frozenset("劉李王陳張趙周孫朱胡郭黄楊呉馬謝鄭曹朴崔")
"""Surnames after which a given name has no Japanese reading."""


def read_names(features: list[Feature], offsets: list[int | None], words: Sequence[Morpheme]) -> None:
    """Give names Sudachi's reading, in place.

    Args:
        features: N words.
        offsets: N + 1 places in the text, where ``words`` stand too; None inside of what is spelt otherwise.
    """
    for surname, given in _full_names(words):
        if _span(offsets, surname) and (span := _span(offsets, given)):
            _read(features, offsets, *span, given.reading)
            _read_unless_known(features, offsets, surname)
        elif surname.start in offsets and given.end in offsets:
            first, last = offsets.index(surname.start), offsets.index(given.end)
            _read(features, offsets, first, last, surname.reading + given.reading)
    for word in words:
        if _is_given_name(word):
            _read_unless_known(features, offsets, word)
    _read_usual(features)


def _read_usual(features: Sequence[Feature]) -> None:
    """Names that a dictionary reads as few do."""
    for index, feature in enumerate(features):
        reading = _usual().get(feature["string"])
        if reading and feature["pos_group2"] == "人名" and not feature["is_reading_protected"]:
            reread(features, index, reading)


@cache
def _usual() -> dict[str, str]:
    lines = (resources.files("koebin.engine.text") / "data" / "person_names.txt").read_text("utf-8").splitlines()
    return dict(line.split(" ") for line in lines if line and not line.startswith("#"))


def _full_names(words: Sequence[Morpheme]) -> Iterator[tuple[Morpheme, Morpheme]]:
    for surname, given in pairwise(words):
        if surname.pos[3] == "姓" and given.pos[3] == "名" and surname.surface not in _CHINESE:
            yield surname, given


def _is_given_name(word: Morpheme) -> bool:
    return (
        word.pos[3] == "名"
        and len(word.surface) > 1
        and bool(_KANJI.search(word.surface))
        and (not _FIGURES.search(word.surface) or bool(_NUMBERED.fullmatch(word.surface)))
    )


def _read_unless_known(features: list[Feature], offsets: list[int | None], word: Morpheme) -> None:
    span = _span(offsets, word)
    if span and not _is_name(features[slice(*span)]):
        _read(features, offsets, *span, word.reading)


def _is_name(parts: Sequence[Feature]) -> bool:
    """Whether Open JTalk takes it for a name of a person too."""
    return len(parts) == 1 and parts[0]["pos_group2"] in ("人名", "組織")


def _span(offsets: Sequence[int | None], word: Morpheme) -> tuple[int, int] | None:
    """Its first feature and the one behind it; None where Open JTalk cuts the text elsewhere."""
    if word.start not in offsets or word.end not in offsets:
        return None
    return offsets.index(word.start), offsets.index(word.end)


def _read(features: list[Feature], offsets: list[int | None], first: int, last: int, reading: str) -> None:
    parts = features[first:last]
    said = "".join(part["pron"] for part in parts).replace("’", "")
    if not parts or any(part["is_reading_protected"] for part in parts) or sounded_alike(said, reading):
        return
    if len(parts) == 1:
        reread(features, first, spelt_as_said(reading))
    else:
        merge(features, first, last, spelt_as_said(reading))
        del offsets[first + 1 : last]
