"""Alignment of Open JTalk's words with the user's text."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from typing import Final

from koebin.engine.text.mapped import MappedText

# Open JTalk's spelling of ASCII, where NFKC does not undo it.
_PLAIN: Final = str.maketrans({"”": '"', "’": "'", "‘": "`", "−": "-", "￥": "¥", "〜": "~", "　": " "})


def node_boundaries(norm: MappedText, surfaces: Sequence[str], length: int) -> list[int | None]:
    """Where in the user's text each word begins.

    Args:
        norm: what Open JTalk was given.
        surfaces: the words as it spells them; figures come back as kanji, repetition marks as what they repeat.
        length: characters of the user's text.

    Returns:
        N + 1 offsets for N words, the last one ``length``: characters that left no trace belong to the word before
        them. None where the boundary lies inside of what is spelt otherwise, so that no character can be named.
    """
    spoken = "".join(surfaces)
    positions = _positions(_plain(norm.text), _plain(spoken))
    boundaries: list[int | None] = []
    offset = 0
    for surface in surfaces:
        position = positions[offset]
        boundaries.append(_source(norm, position, length))
        offset += len(surface)
    if boundaries:
        boundaries[0] = 0
    return [*boundaries, length]


def _plain(text: str) -> str:
    """The same number of characters, each in its plain form."""
    return "".join(
        folded if len(folded := unicodedata.normalize("NFKC", char)) == 1 else char for char in text.translate(_PLAIN)
    )


def _positions(given: str, spoken: str) -> list[int | None]:
    """For every offset of ``spoken`` the offset of ``given`` it corresponds to, None inside of what is spelt otherwise.

    Walks both at once and, where they differ, looks for the nearest two characters that agree again: linear in the
    length, unlike a general alignment.
    """
    if given == spoken:
        return [*range(len(given) + 1)]
    positions: list[int | None] = [None] * (len(spoken) + 1)
    here = there = 0
    while here < len(given) and there < len(spoken):
        positions[there] = here
        if given[here] == spoken[there]:
            here, there = here + 1, there + 1
        elif given[here] == " ":
            here += 1
        elif skip := _resume(given[here : here + _REACH], spoken[there : there + _REACH]):
            here, there = here + skip[0], there + skip[1]
        else:
            break
    positions[-1] = len(given)
    return positions


_REACH: Final = 60


def _resume(given: str, spoken: str) -> tuple[int, int] | None:
    """How many characters of each to leave out so that the next two agree; the fewest in all."""
    pairs: dict[str, int] = {}
    for index in range(len(given) - 1, -1, -1):
        pairs[given[index : index + 2]] = index
    found = [
        (pairs[pair] + index, pairs[pair], index)
        for index in range(len(spoken))
        if (pair := spoken[index : index + 2]) in pairs
    ]
    return min(found)[1:] if found else None


def _source(norm: MappedText, position: int | None, length: int) -> int | None:
    if position is None:
        return None
    if position >= len(norm.text):
        return length
    start = norm.starts[position]
    # Two characters of the rewritten text that stand for the same stretch have no boundary between them.
    return None if position and norm.starts[position - 1] == start else start
