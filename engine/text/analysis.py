"""What Open JTalk says of a text, as plain values: the front end's only interface to the acoustic models."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Node:
    """One word as Open JTalk returns it.

    Attributes:
        surface: as Open JTalk spells it (ASCII comes back full-width).
        pron: katakana with accent marks (’), or the mark itself for punctuation.
        pos: part of speech.
    """

    surface: str
    pron: str
    pos: str


@dataclass(frozen=True, slots=True)
class Analysis:
    """One utterance after the front end.

    Attributes:
        text: the user's text of this utterance, unchanged.
        norm: what was given to Open JTalk.
        nodes: the words, in order.
        labels: full-context labels, one per phone with ``sil`` at both ends; empty if there is nothing to speak.
    """

    text: str
    norm: str
    nodes: tuple[Node, ...]
    labels: tuple[str, ...]
