"""A text under change that remembers where each of its characters came from."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

Rule = tuple[re.Pattern[str], Callable[[re.Match[str]], str] | str]
"""A pattern, and what replaces each match: see ``MappedText.sub``."""


@dataclass(frozen=True, slots=True)
class MappedText:
    """``text`` with the span ``[starts[i], ends[i])`` of the original that character ``i`` stands for.

    Both sequences are non-decreasing and as long as ``text``. What replaces a stretch stands for all of it.
    """

    text: str
    starts: tuple[int, ...]
    ends: tuple[int, ...]

    @classmethod
    def of(cls, text: str) -> MappedText:
        return cls(text, tuple(range(len(text))), tuple(range(1, len(text) + 1)))

    def sub(self, pattern: re.Pattern[str], replace: Callable[[re.Match[str]], str] | str) -> MappedText:
        """As ``re.sub``; a string is taken literally. A match that is replaced by itself keeps its mapping."""
        pieces: list[str] = []
        starts: list[int] = []
        ends: list[int] = []
        position = 0
        for match in pattern.finditer(self.text):
            new = replace if isinstance(replace, str) else replace(match)
            if match.start() == match.end() or new == match.group():
                continue
            pieces += [self.text[position : match.start()], new]
            starts += [*self.starts[position : match.start()], *[self.starts[match.start()]] * len(new)]
            ends += [*self.ends[position : match.start()], *[self.ends[match.end() - 1]] * len(new)]
            position = match.end()
        if position == 0:
            return self
        pieces.append(self.text[position:])
        starts += self.starts[position:]
        ends += self.ends[position:]
        return MappedText("".join(pieces), tuple(starts), tuple(ends))

    def __getitem__(self, span: slice) -> MappedText:
        return MappedText(self.text[span], self.starts[span], self.ends[span])

    def __iter__(self) -> Iterator[str]:
        return iter(self.text)
