"""Analysis of a text as plain values: the front end's only interface to the acoustic models."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple


class Node(NamedTuple):
    """One word as Open JTalk returns it.

    Attributes:
        surface: as Open JTalk spells it (ASCII comes back full-width).
        pron: katakana with marks (’) after whispered vowels, or the mark itself for punctuation.
        pos: part of speech.
        accent: of the accent phrase that begins with this word, the mora after which the pitch falls, 0 for none; None
            if only the labels tell how the utterance is accented.
        chained: the word goes on with the accent phrase before it, whose accent counts.
    """

    surface: str
    pron: str
    pos: str
    accent: int | None = None
    chained: bool = False


@dataclass(frozen=True)
class Analysis:
    """One utterance after the front end.

    Attributes:
        text: the user's text of this utterance, unchanged.
        norm: what was given to Open JTalk.
        nodes: the words, in order.
        make_labels: gives ``labels``, which not every voice needs.
    """

    text: str
    norm: str
    nodes: tuple[Node, ...]
    make_labels: Callable[[], Sequence[str]] = field(compare=False, repr=False)

    @cached_property
    def labels(self) -> tuple[str, ...]:
        """Full-context labels, one per phone with ``sil`` at both ends; empty if there is nothing to speak."""
        return tuple(self.make_labels())
