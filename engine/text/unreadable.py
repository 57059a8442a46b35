"""Unreadable clusters of a text: characters with a sound of their own that no voice here can give them.

They are left out where a text is spoken, and listed here so that whoever asked for the text can be told.
Light: needs no Open JTalk.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from koebin.engine.errors import InvalidText
from koebin.engine.text.alphabets import is_silent_letter
from koebin.engine.text.characters import is_speech
from koebin.engine.text.compatibility import fold_cluster

_UNUSUAL: Final = re.compile(
    r"[^\x09-\x0d\x20-\x7e\x80-\xff\u2000-\u206f\u2460-\u27bf\u3000-\u303f\u3041-\u30ff\u3400-\u4dbf\u4e00-\u9fef\uff01-\uff9f]"
    r"|[\x7f-\x84\x86-\x9f\u2065\uff00]"
)
"""Every character that may be unreadable, and many that are not."""

_LOST: Final = "\ufffd"
"""The replacement character: a letter that was lost before the text came here."""


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Neighbouring characters that are left out.

    Attributes:
        start, end: where they stand in the text, in characters, end excluded.
        text: the characters.
        name: of the first one, as Unicode has it, or its code point.
    """

    start: int
    end: int
    text: str
    name: str


def find_unreadable(text: str) -> tuple[Unreadable, ...]:
    """The unreadable clusters, in order: letters of other scripts, control and private characters, halves of surrogate
    pairs, unassigned code points. Signs, emoji and what only changes the look of a character are not among them.
    """
    found: list[Unreadable] = []
    for start, end in _runs(text):
        found.append(Unreadable(start, end, text[start:end], _name(text[start])))
    return tuple(found)


def without_unreadable(text: str) -> tuple[str, tuple[Unreadable, ...]]:
    """The text without its unreadable clusters, and these; the same text if it has none."""
    found = find_unreadable(text)
    position, kept = 0, []
    for cluster in found:
        kept.append(text[position : cluster.start])
        position = cluster.end
    return ("".join([*kept, text[position:]]) if found else text), found


def check_readable(text: str) -> None:
    """Nothing unreadable may be in the text.

    Raises:
        InvalidText: the first unreadable cluster, with line and column, counted from 1 in characters.
    """
    for cluster in find_unreadable(text):
        before = text[: cluster.start]
        raise InvalidText(
            "a character that cannot be read",
            f"{cluster.text} ({cluster.name})" if cluster.text.isprintable() else cluster.name,
            "Write it in Japanese or Latin letters, or remove it",
            before.count("\n") + 1,
            cluster.start - before.rfind("\n"),
        )


def _runs(text: str) -> Iterator[tuple[int, int]]:
    """Spans of unreadable characters, each with the marks that go with it."""
    first = last = -1
    for match in _UNUSUAL.finditer(text):
        place = match.start()
        if place < last:
            continue
        if not _is_unreadable(match.group()):
            continue
        if place != last:
            if last > first:
                yield first, last
            first = place
        last = place + 1
        while last < len(text) and unicodedata.category(text[last]) in ("Mn", "Mc", "Me", "Cf"):
            last += 1
    if last > first:
        yield first, last


def _is_unreadable(char: str) -> bool:
    category = unicodedata.category(char)
    if category in ("Cc", "Co", "Cs", "Cn") or char == _LOST:
        return True
    return category[0] in "LN" and not any(map(is_speech, fold_cluster(char))) and not is_silent_letter(char)


def _name(char: str) -> str:
    return unicodedata.name(char, "") or f"U+{ord(char):04X}"
