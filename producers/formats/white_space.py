"""White space of marked-up text: runs collapse, and a line break between two Japanese characters is none.

Browsers would show a space there, but an author who wraps lines means nothing by it. A space that was typed stays: it
parts 第二章 from its title.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from typing import Final

from koebin.engine.reading import Reading

JAPANESE: Final = "\u3000-\u30ff\u3400-\u9fff\uff00-\uffef"
_RUN: Final = re.compile(r"[ \t\r\n\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]+")
"""White space, and the control characters that books hold by mistake."""
_BREAK: Final = re.compile(f"(?<=[{JAPANESE}])\n(?=[{JAPANESE}])")


def collapse(text: str) -> str:
    """Runs of white space as one character each: a line break if the run holds one, else a space."""
    return _RUN.sub(lambda run: "\n" if "\n" in run[0] or "\r" in run[0] else " ", text)


def remove(text: str) -> str:
    """The text without any white space that collapses."""
    return _RUN.sub("", text)


def join_lines(text: str, readings: list[Reading]) -> tuple[str, tuple[Reading, ...]]:
    """Collapsed text in one line, and its readings where they are then."""
    breaks = [match.start() for match in _BREAK.finditer(text)]

    def moved(offset: int) -> int:
        return offset - bisect_left(breaks, offset)

    shifted = (Reading(moved(each.start), moved(each.end), each.kana, each.accent) for each in readings)
    return _BREAK.sub("", text).replace("\n", " "), tuple(shifted)
