"""Marks: timings of what was spoken, at four levels."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Mark:
    """Timed span from ``start`` to ``end``, in seconds from the beginning of the audio."""

    text: str
    start: float
    end: float
    speaker: str = ""


LEVELS: Final = ("sentence", "word", "mora", "phone")
"""Names of the levels of marks, the coarsest first."""


@dataclass(frozen=True, slots=True)
class Marks:
    """Timings at four levels, each in the order of time.

    Attributes:
        sentences: the user's text, unchanged; with the speaker.
        words: Open JTalk's surfaces.
        moras: katakana; a pause is not a mora.
        phones: the model's phones, pauses included; they cover the whole audio.
    """

    sentences: tuple[Mark, ...] = ()
    words: tuple[Mark, ...] = ()
    moras: tuple[Mark, ...] = ()
    phones: tuple[Mark, ...] = ()

    def shifted(self, seconds: float) -> Marks:
        """Marks that are ``seconds`` later."""
        if not seconds:
            return self
        return Marks(*(tuple(_shift(mark, seconds) for mark in level) for level in self.levels()))

    def __add__(self, other: Marks) -> Marks:
        return Marks(*(mine + theirs for mine, theirs in zip(self.levels(), other.levels(), strict=True)))

    def levels(self) -> tuple[tuple[Mark, ...], ...]:
        """The levels in the order of ``LEVELS``."""
        return (self.sentences, self.words, self.moras, self.phones)

    def level(self, name: str) -> tuple[Mark, ...]:
        """The marks of one of ``LEVELS``."""
        return self.levels()[LEVELS.index(name)]

    @classmethod
    def joined(cls, parts: Iterable[Marks]) -> Marks:
        """All marks of ``parts``, level by level; the parts must be shifted already."""
        levels: tuple[list[Mark], ...] = ([], [], [], [])
        for part in parts:
            for level, more in zip(levels, part.levels(), strict=True):
                level.extend(more)
        return cls(*(tuple(level) for level in levels))


def _shift(mark: Mark, seconds: float) -> Mark:
    return Mark(mark.text, mark.start + seconds, mark.end + seconds, mark.speaker)
