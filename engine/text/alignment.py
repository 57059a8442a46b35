"""Which part of the user's text each word of Open JTalk stands for."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from difflib import SequenceMatcher
from typing import Final

from engine.text.mapped import MappedText

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
    """For every offset of ``spoken`` the offset of ``given`` it corresponds to."""
    if given == spoken:
        return [*range(len(given) + 1)]
    positions: list[int | None] = [None] * (len(spoken) + 1)
    for _, given_start, given_end, spoken_start, spoken_end in SequenceMatcher(
        None, given, spoken, False
    ).get_opcodes():
        if (
            given_end - given_start == spoken_end - spoken_start
            and given[given_start:given_end] == spoken[spoken_start:spoken_end]
        ):
            positions[spoken_start : spoken_end + 1] = range(given_start, given_end + 1)
        elif spoken_start < spoken_end:
            positions[spoken_start], positions[spoken_end] = given_start, given_end
        else:
            positions[spoken_start] = given_end
    return positions


def _source(norm: MappedText, position: int | None, length: int) -> int | None:
    if position is None:
        return None
    if position >= len(norm.text):
        return length
    start = norm.starts[position]
    # Two characters of the rewritten text that stand for the same stretch have no boundary between them.
    return None if position and norm.starts[position - 1] == start else start
