"""Character classes for reading aloud."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

TERMINATORS: Final = frozenset("。｡！？!?‼⁇⁈⁉")
"""End a sentence wherever they stand."""

LINE_BREAKS: Final = frozenset("\n\r\u0085\u2028\u2029\v\f")

COMMAS: Final = frozenset("、､，,;；:：")

OPENERS: Final = frozenset("「『（(【《〈［[{｛〔〘〖“‘«‹｢")
CLOSERS: Final = frozenset("」』）)】》〉］]}｝〕〙〗”’»›｣")

SPOKEN_SYMBOLS: Final = frozenset("%％‰+＋=＝&＆@＠♯♭°℃℉$＄¥￥£￡€¢￠₩￦₱₹×÷±√∞≒≈≠≦≧≤≥/／\\＼〒§℡○◯〇")
"""Not letters, not digits, and yet they have a reading."""

_JAPANESE = re.compile(r"[\u3041-\u3096\u30a1-\u30fa\u30fc-\u30ff\uff66-\uff9d\u3400-\u4dbf\u4e00-\u9fff々〇〻仝〆]")
_KANJI = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff々〇〻仝〆\U00020000-\U0003ffff]")
_HIRAGANA = re.compile(r"[\u3041-\u309f]")
_KATAKANA = re.compile(r"[\u30a0-\u30ff\u31f0-\u31ff\uff66-\uff9f]")


def is_japanese(char: str) -> bool:
    """Kana or kanji."""
    return bool(_JAPANESE.match(char))


def is_speech(char: str) -> bool:
    """Whether the character is said rather than shown: a letter, a digit, or a symbol that has a reading."""
    return char in SPOKEN_SYMBOLS or unicodedata.category(char)[0] in "LN"


def script(char: str) -> str:
    """``kanji``, ``hiragana``, ``katakana``, ``latin`` (any other letter), ``digit``, ``space`` or ``mark``."""
    if _KANJI.match(char):
        return "kanji"
    if _HIRAGANA.match(char):
        return "hiragana"
    if _KATAKANA.match(char):
        return "katakana"
    if char.isspace():
        return "space"
    category = unicodedata.category(char)
    if category[0] == "N":
        return "digit"
    return "latin" if category[0] == "L" else "mark"
