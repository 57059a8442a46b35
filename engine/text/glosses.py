"""Readings in brackets behind their word: 貶（おとし）めた is spoken オトシメタ, and the bracket is not."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, NamedTuple

from koebin.engine.text.features import Feature
from koebin.engine.text.heteronyms import read_span
from koebin.engine.text.katakana import sounded, sounded_alike, split_morae
from koebin.engine.text.sudachi import morphemes

_GLOSS: Final = re.compile(
    r"(?<=[㐀-䶿一-鿿々〆])[（(]([あいうえおか-ぢつ-もやゆよら-ろわゐゑをゔ][ぁ-ゔー]{0,15})[）)]"
)
_KANJI: Final = re.compile("(?<![㐀-䶿一-鿿々〆])[㐀-䶿一-鿿々〆]+$")
_BEGINNINGS: Final = frozenset(("連体詞", "副詞", "接続詞", "感動詞"))
"""What begins a remark (そのほか, たぶん) and no reading."""


class Gloss(NamedTuple):
    """Reading in brackets: its kana, and where the bracket stands in the user's text."""

    kana: str
    start: int
    end: int


def glosses(text: str) -> list[Gloss]:
    """What may be readings of the kanji before them, in order."""
    if "（" not in text and "(" not in text:
        return []
    return [Gloss(match.group(1), *match.span()) for match in _GLOSS.finditer(text)]


def read_gloss(text: str, features: list[Feature], offsets: list[int | None], place: int, kana: str) -> bool:
    """Read the kanji that end at ``text[place]`` as their gloss says, in place.

    Args:
        text: what Open JTalk was given, without the bracket.
        features: N words.
        offsets: N + 1 places in ``text``, None inside of what is spelt otherwise.

    Returns:
        Whether the gloss is a reading of the word or words there, which then are as the user gave them.
    """
    run = _KANJI.search(text[:place])
    starts = [offset for offset in offsets if offset is not None and run and run.start() <= offset < place]
    reading = sounded(kana)
    size = len(split_morae(reading))
    for start in reversed(starts):
        if sounded_alike(_said(text, features, offsets, start, place), reading):
            return True
    if _is_remark(kana):
        return False
    for start in reversed(starts):
        said = _said(text, features, offsets, start, place)
        partly = bool(said) and reading.endswith(said) and start != starts[0]
        if place - start <= size <= max(5, 3 * (place - start)) and not partly:
            if not read_span(text, features, offsets, start, place, reading):
                return False
            features[offsets.index(start)]["is_reading_protected"] = True
            return True
    return False


def _is_remark(kana: str) -> bool:
    """Whether it is said of the word before it (など, たぶん) rather than a reading of it."""
    words = morphemes(kana)
    return words[0].pos[0] in _BEGINNINGS or words[-1].pos[0] in ("助詞", "接尾辞")


def _said(text: str, features: Sequence[Feature], offsets: Sequence[int | None], start: int, place: int) -> str:
    """How ``text[start:place]`` is spoken now, without the kana that its last word has behind it."""
    first = offsets.index(start)
    last = next((index for index in range(first + 1, len(offsets)) if (offsets[index] or 0) >= place), first)
    end = offsets[last] or place
    spoken = "".join(word["pron"] for word in features[first:last]).replace("’", "")
    return spoken.removesuffix(sounded(text[place:end].strip())) if end > place else spoken
