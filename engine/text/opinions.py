"""Opinions of Sudachi that differ from how a text is read, and are worth a look."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from koebin.engine.text.katakana import sounded_alike
from koebin.engine.text.risks import said, words_within

if TYPE_CHECKING:
    from koebin.engine.text.frontend import Words
    from koebin.engine.text.sudachi import Morpheme

_KANJI: Final = re.compile("[㐀-䶿一-鿿々〆]")
_FIGURES: Final = re.compile("[0-9０-９〇一二三四五六七八九十百千万億兆]")
_SURE: Final = frozenset(("代名詞", "接頭辞"))
"""Parts of speech of which Sudachi has the rarer reading (私 ワタクシ, 何 ナン)."""
_BOTH_USUAL: Final = frozenset((("言う", "ユウ"), ("他", "タ"), ("小さな", "チイサナ")))
"""Words with the reading of the second dictionary that is as usual as the one that is spoken."""
_VOICED: Final = {
    plain: frozenset(voiced)
    for plain, *voiced in (
        *zip("カキクケコサシスセソタチツテト", "ガギグゲゴザジズゼゾダジズデド", strict=True),
        *zip("ハヒフヘホ", "バビブベボ", "パピプペポ", strict=True),
    )
}


def differing(text: str, words: Words, known: Sequence[Morpheme]) -> Iterator[tuple[int, int, str]]:
    """Stretches between places where both cut the text: start, end and Sudachi's reading.

    Left out is what experience settles: words that the context decided, pronouns, words that Sudachi puts together of
    several where Open JTalk knows one, and the first sound of a word's second part (ズクリ for ツクリ).
    """
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
        spoken = said(words, start, end)
        if sounded_alike(other, spoken) or sounded_alike(other, said(words, start, end, "read")):
            continue
        parts = words_within(words, start, end)
        if any(part["is_reading_rewritten"] for part in parts) or inside[0].pos[0] in _SURE:
            continue
        split = len(parts) == 1 and len(inside) > 1 and len(word) > 1
        if not split and not _is_voiced(spoken, other) and (word, other) not in _BOTH_USUAL:
            yield start, end, other


def _is_voiced(spoken: str, other: str) -> bool:
    """Whether the two differ in the voice of the first sound alone."""
    if not spoken or not other or not sounded_alike(spoken, spoken[0] + other[1:]):
        return False
    return spoken[0] in _VOICED.get(other[0], ()) or other[0] in _VOICED.get(spoken[0], ())
