"""Line breaks of Japanese subtitles: between phrases, as BudouX finds them.

Source: https://www.w3.org/TR/jlreq/, sections 3.1.7 and 3.1.8, for characters that must not begin or end a line.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import Final

import budoux

COLUMNS: Final = 44
"""Of a line; a full-width character takes two."""
_NOT_FIRST: Final = frozenset(
    "、。，．・：；？！‼⁇⁈⁉,.:;?!゛゜ヽヾゝゞ々〻ー～…‥'\"’”)]}）〕］｝〉》」』】〙〗»"
    "ぁぃぅぇぉっゃゅょゎゕゖァィゥェォッャュョヮヵヶㇰㇱㇲㇳㇴㇵㇶㇷㇸㇹㇺㇻㇼㇽㇾㇿ"
)
_NOT_LAST: Final = frozenset("‘“([{（〔［｛〈《「『【〘〖«")
_LATIN: Final = re.compile(r"[!-~\u00a1-\u024f]+\s*|\s+|.", re.DOTALL)
_ENDS: Final = frozenset("、。，．！？!?…」』）")


def wrap(text: str, columns: int = COLUMNS) -> str:
    """Text in lines of at most ``columns`` columns, about equally long and broken between phrases.

    Line breaks of the text itself are removed first. No character is lost except blanks at a break; a line is longer
    only where nothing may be broken.
    """
    rest = phrases(one_line(text), columns)
    lines: list[str] = []
    while len(rest) > 1 and (total := sum(map(width, rest))) > columns:
        end = _best_end(rest, total / -(-total // columns), columns)
        lines.append("".join(rest[:end]).rstrip())
        rest = rest[end:]
        rest[0] = rest[0].lstrip()
    return "\n".join([*lines, "".join(rest).rstrip()])


def _best_end(parts: list[str], wanted: float, columns: int) -> int:
    """How many of the parts make the next line."""
    best, best_cost, length = 1, float("inf"), 0
    for end, part in enumerate(parts[:-1], start=1):
        length += width(part)
        if length - (width(part) - width(part.rstrip())) > columns:
            break
        cost = abs(length - wanted) - (columns / 4 if part.rstrip()[-1:] in _ENDS else 0)
        if cost <= best_cost:
            best, best_cost = end, cost
    return best


def phrases(text: str, columns: int = COLUMNS) -> list[str]:
    """Parts between which a line may end; together they are the text."""
    parts: list[str] = []
    for phrase in _parser().parse(text):
        pieces = [phrase] if width(phrase) <= columns else _LATIN.findall(phrase)
        for piece in pieces:
            if parts and (piece[0] in _NOT_FIRST or parts[-1].rstrip()[-1:] in _NOT_LAST or _inside(parts[-1], piece)):
                parts[-1] += piece
            else:
                parts.append(piece)
    return parts


def one_line(text: str) -> str:
    """Lines joined: with a blank between two Latin words, without one in Japanese."""
    joined = "\n".join(line.strip() for line in text.splitlines() if line.strip())
    return re.sub(r"(?<=[!-~])\n(?=[!-~])", " ", joined).replace("\n", "")


def width(text: str) -> int:
    """Columns that a text takes."""
    return sum(
        0 if unicodedata.combining(character) else 2 if unicodedata.east_asian_width(character) in "WFA" else 1
        for character in text
    )


@lru_cache(maxsize=1)
def _parser() -> budoux.Parser:
    return budoux.load_default_japanese_parser()


def _inside(before: str, after: str) -> bool:
    """Whether a break would stand inside of a Latin word or a number."""
    return before[-1].isascii() and after[0].isascii() and not before[-1].isspace() and not after[0].isspace()
