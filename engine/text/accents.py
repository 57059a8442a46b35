"""High and low from Open JTalk's words, without their labels."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from engine.text.analysis import Node
from engine.text.katakana import MORE_DIGRAPHS

_PAUSES: Final = frozenset("、？！")
_SAID_ALIKE: Final = re.compile(rf"(?!ー|.*(?:{'|'.join(MORE_DIGRAPHS)}))[ァ-ヴヶー’]+")
"""Without morae that Open JTalk counts or names otherwise than the voices do."""

_COUNTED: Final = 48
"""Morae of an accent phrase. Labels do not tell those beyond from each other."""


def mora_tones(nodes: Sequence[Node], counts: Sequence[int]) -> list[int] | None:
    """The pitch of each mora that is spoken, 0 low or 1 high: what ``labels.phone_tones`` says of its phones.

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
    pausing = False
    for node, count in zip(nodes, counts, strict=True):
        if node.pron in _PAUSES:
            pausing = True
            continue
        goes_on = bool(node.chained and tones)
        holds = goes_on and not pausing and node.pron == "ー"  # the う of しょう
        if node.accent is None or node.accent < 0 or not (holds or _SAID_ALIKE.fullmatch(node.pron)):
            return None
        if not goes_on:
            accent, place = node.accent, 0
        for _ in range(count):
            place += 1
            if place == 2 and accent == 1:
                if pausing:
                    return None
                tones[-1] = 1
            tones.append(int(place > 1 and (accent == 0 or place <= accent)))
            pausing = False
        if place > _COUNTED:
            return None
    return tones
