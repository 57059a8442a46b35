"""Accents of compounds: what ends with a word of its own accent, what begins with a prefix, unknown foreign names."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from koebin.engine.text.accent_phrases import morae
from koebin.engine.text.features import Feature
from koebin.engine.text.katakana import is_katakana_reading, split_morae
from koebin.engine.text.openjtalk import dictionary_accent

_POLITE: Final = frozenset("おご御")
_HELD: Final = frozenset("ーンッ")
"""Morae that a fall does not follow."""
_FOREIGN: Final = re.compile("[ァ-ヴ]+[ーン]")


def compound_accent(words: Sequence[Feature]) -> int | None:
    """Of compounds with an ending that has an accent of its own: 交通事'故, 入学試験, 平均値, 船田氏; 一回 alone."""
    last = next((index for index in range(len(words) - 1, 0, -1) if words[index]["pos"] == "名詞"), 0)
    ending = words[last]["string"]
    size = morae(words[:last])
    if not last:
        return None
    if ending == "回" and words[0]["pos_group1"] == "数" and last == len(words) - 1:
        return 0
    foreign = is_katakana_reading(words[last - 1]["string"]) and is_katakana_reading(ending)
    if ending == "試験" or (not foreign and _falls_on_its_first_of_two(words[last])):
        return size + 1
    if ending in ("値", "氏") and (ending == "値" or not words[0]["acc"]):
        return size - 1 if words[last - 1]["pron"][-1] in _HELD else size
    return None


def _falls_on_its_first_of_two(word: Feature) -> bool:
    """Whether it is a noun of two morae that is no suffix and falls after its first: ビル, 保護."""
    free = word["pos_group1"] in ("一般", "サ変接続") and word["mora_size"] == 2 and len(word["string"]) > 1
    return bool(free and dictionary_accent(word["string"]) == 1)


def prefixed_accent(words: Sequence[Feature]) -> int | None:
    """Of a prefix that gives up its own accent to its noun: 大規'模, 半透'明; 低所得'者 with a suffix."""
    prefix, noun = words[:2]
    if prefix["pos_group1"] != "名詞接続" or prefix["string"] in _POLITE or prefix["acc"] != 1:
        return None
    if noun["pos"] != "名詞" or noun["pos_group1"] in ("数", "接尾"):
        return None
    behind = words[2] if len(words) > 2 else None
    if behind is not None and behind["pos"] == "名詞":
        return _before_suffix(words[:2]) if behind["pos_group1"] == "接尾" else None
    own = dictionary_accent(noun["string"]) or 0
    return int(prefix["mora_size"]) + (own if 0 < own < noun["mora_size"] - 1 else 1)


def _before_suffix(words: Sequence[Feature]) -> int:
    return morae(words) - (words[-1]["pron"][-1] in _HELD)


def katakana_accent(word: Feature) -> int | None:
    """Of a foreign word of two light morae and a long syllable, which falls after its first: エ'ジソン, ギ'ルマー."""
    kana = split_morae(word["pron"].replace("’", ""))
    if len(kana) != 4 or word["acc"] != 2 or not _FOREIGN.fullmatch(word["string"]):
        return None
    light = _HELD.isdisjoint(kana[:3]) and kana[2] not in ("イ", "ウ")  # ザイン is one syllable
    return 1 if light else None
