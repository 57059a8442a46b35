"""Line breaks of Japanese subtitles.

Source: JIS X 4051 and https://www.w3.org/TR/jlreq/, sections 3.1.7 and 3.1.8 (characters that must not begin or end a
line).
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

_NOT_FIRST: Final = frozenset(
    "、。，．・：；？！‼⁇⁈⁉,.:;?!゛゜ヽヾゝゞ々〻ー～…‥'\"’”)]}）〕］｝〉》」』】〙〗»"
    "ぁぃぅぇぉっゃゅょゎゕゖァィゥェォッャュョヮヵヶㇰㇱㇲㇳㇴㇵㇶㇷㇸㇹㇺㇻㇼㇽㇾㇿ"
)
_NOT_LAST: Final = frozenset("‘“([{（〔［｛〈《「『【〘〖«")
_JOINERS: Final = frozenset("'-_@/&+%#$.:~")
_PHRASE_ENDS: Final = frozenset("、。，．！？…」』）")


def wrap(text: str, columns: int = 44) -> str:
    """Break a text into lines of at most ``columns`` columns (a full-width character takes two).

    Line breaks of the text itself are removed first. Lines are about equally long, and end after punctuation where
    one is near. No character is lost but blanks at a break; a line is longer only where nothing may be broken.
    """
    text = _one_line(text)
    total = _width(text)
    if total <= columns:
        return text
    lines = -(-total // columns)
    wanted = total / lines
    broken: list[str] = []
    while _width(text) > columns:
        cut = _best_break(text, wanted, columns)
        if cut == 0:
            break
        broken.append(text[:cut].rstrip())
        text = text[cut:].lstrip()
    return "\n".join([*broken, text])


def _one_line(text: str) -> str:
    """Joined lines: with a blank between two Latin words, without one in Japanese."""
    joined = "\n".join(line.strip() for line in text.splitlines() if line.strip())
    return re.sub(r"(?<=[!-~])\n(?=[!-~])", " ", joined).replace("\n", "")


def _best_break(text: str, wanted: float, columns: int) -> int:
    """Index of the best break in ``text``, at most ``columns`` from its start if there is one; 0 for none."""
    best, best_cost = 0, float("inf")
    width = 0
    for index in range(1, len(text)):
        width += _columns(text[index - 1])
        if not _may_break(text[index - 1], text[index]):
            continue
        if width > columns:
            # The first place beyond the limit is better than none.
            return best or index
        cost = abs(width - wanted) - (columns / 4 if text[index - 1] in _PHRASE_ENDS else 0)
        if cost <= best_cost:
            best, best_cost = index, cost
    return best


def _may_break(before: str, after: str) -> bool:
    if before in _NOT_LAST or after in _NOT_FIRST:
        return False
    return not (_is_latin(before) and _is_latin(after))


def _is_latin(character: str) -> bool:
    return (character.isalnum() and unicodedata.east_asian_width(character) not in ("W", "F")) or character in _JOINERS


def _width(text: str) -> int:
    return sum(map(_columns, text))


def _columns(character: str) -> int:
    return 0 if unicodedata.combining(character) else 2 if unicodedata.east_asian_width(character) in "WFA" else 1
