"""Words that Sudachi knows as one where Open JTalk put them together of several."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from koebin.engine.text.features import Feature
from koebin.engine.text.katakana import sounded_alike, spelt_as_said
from koebin.engine.text.rereading import merge, reread
from koebin.engine.text.sudachi import Morpheme

_KANJI: Final = re.compile("[㐀-䶿一-鿿々]")
_FIGURES: Final = re.compile("[0-9０-９〇一二三四五六七八九十百千万億兆]")


def _is_word(word: Morpheme) -> bool:
    """Whether it is more than a number with what is counted, and no station, whose namesakes are read otherwise."""
    if _FIGURES.search(word.surface):
        return word.pos[2] == "地名"
    return not (word.pos[1] == "固有名詞" and word.surface.endswith("駅"))


def read_compounds(features: list[Feature], offsets: list[int | None], words: Sequence[Morpheme]) -> None:
    """Give such words Sudachi's reading, in place.

    Args:
        features: N words.
        offsets: N + 1 places in the text, where ``words`` stand too; None inside of what is spelt otherwise.
    """
    places = {offset: index for index, offset in enumerate(offsets) if offset is not None}
    for word in reversed(words):
        first, last = places.get(word.start), places.get(word.end)
        if first is None or last is None:
            continue
        if word.surface == "御" and word.reading == "オ" and not features[first]["is_reading_protected"]:
            reread(features, first, "オ")  # Open JTalk says ゴ before every word (御歩き)
        if word.lemma == "はいる" and features[first]["string"] == "は" and features[first]["pos"] == "助詞":
            reread(features, first, "ハ")  # 中に|は|いる for 中に|はいる
        if last - first < 2:
            continue
        if not word.reading or not _KANJI.search(word.surface) or not _is_word(word):
            continue
        parts = features[first:last]
        if any(part["is_reading_protected"] or not part["mora_size"] for part in parts):
            continue
        said = "".join(part["pron"] for part in parts).replace("’", "")
        if sounded_alike(said, word.reading):
            continue
        merge(features, first, last, spelt_as_said(word.reading))
        del offsets[first + 1 : last]
        places = {offset: index for index, offset in enumerate(offsets) if offset is not None}
