"""High and low from Open JTalk's words, without their labels."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from koebin.engine.text.analysis import Node
from koebin.engine.text.katakana import MORE_DIGRAPHS

_PAUSES: Final = frozenset("、？！")
_SAID_ALIKE: Final = re.compile(rf"(?!ー|.*(?:{'|'.join(MORE_DIGRAPHS)}))[ァ-ヴヶー’]+")
"""Without morae that Open JTalk counts or names otherwise than the voices do."""

_COUNTED: Final = 48
"""Morae of an accent phrase. Labels do not tell those beyond from each other."""

_PITCHES: Final = [
    [int(place > 1 and (accent == 0 or place <= accent)) for place in range(1, _COUNTED + 1)]
    for accent in range(_COUNTED + 1)
]
"""By accent: low or high for each mora of a phrase, its first one low."""


def mora_tones(nodes: Sequence[Node], counts: Sequence[int]) -> list[int] | None:
    """The pitch of each mora, 0 low or 1 high, 0 for marks: what ``labels.phone_tones`` says of its phones.

    In an accent phrase, which may go on after a pause, the first mora is low unless the accent is there and another
    follows; the others are high up to the accent.

    Args:
        nodes: N words.
        counts: N, the morae of each.

    Returns:
        None if only the labels tell: the words hold no accents, something that Open JTalk says otherwise, a phrase that
        is too long, or an accent before what is a pause or (in a number) none.
    """
    tones: list[int] = []
    accent = place = 0
    begun = pausing = False
    for node, count in zip(nodes, counts, strict=True):
        if node.pron in _PAUSES:
            tones += [0] * count
            pausing = True
            continue
        goes_on = node.chained and begun
        holds = goes_on and not pausing and node.pron == "ー"  # the う of しょう
        if node.accent is None or node.accent < 0 or not (holds or _said_alike(node.pron)):
            return None
        if not goes_on:
            accent, place = min(node.accent, _COUNTED), 0
        if place + count > _COUNTED or (place == 1 == accent and pausing and count):
            return None
        tones += _PITCHES[accent][place : place + count]
        if accent == 1 and place < 2 <= place + count:
            tones[-place - count] = 1
        place += count
        if count:
            begun, pausing = True, False
    return tones


@lru_cache(maxsize=8192)
def _said_alike(pron: str) -> bool:
    """Kept as long as the words themselves."""
    return bool(_SAID_ALIKE.fullmatch(pron))
