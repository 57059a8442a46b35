"""Places of a text's parts in the lines that it was written in, where marks that were taken out shift the columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

_PIECE: Final = 8
"""Characters that are looked for."""
_NEAR: Final = 1000
"""Characters after the last place among which they are looked for; to look through whole lines for every part would
take time that grows with the square of their length."""
_ROWS: Final = 50
_BEGINNING: Final = 200
"""Characters of a later line."""


class Places:
    """Places by offsets in ``text``; they are asked for in their order.

    Args:
        rows: lines of the source.
        first: number of the line, from 1, in which the text begins.
        base: number of the first of ``rows``.
    """

    def __init__(self, text: str, rows: Sequence[str], first: int, base: int = 1) -> None:
        self._text, self._rows, self._base = text, rows, base
        self._line, self._column, self._offset = first, 0, 0

    def __call__(self, offset: int) -> tuple[int, int]:
        """Line and column, from 1; the column is 0, or the last one, where the part cannot be found."""
        if passed := self._text.count("\n", self._offset, offset):
            self._line, self._column = self._line + passed, 0
        self._offset = max(self._offset, offset)
        wanted = self._text[offset : offset + _PIECE].split("\n")[0]
        if not wanted:
            return self._line, 0
        for number in range(self._line, min(self._line + _ROWS, self._base + len(self._rows))):
            begin, length = (self._column, _NEAR) if number == self._line else (0, _BEGINNING)
            column = self._rows[number - self._base].find(wanted, begin, begin + length)
            if column >= 0:
                if number == self._line:
                    self._column = column
                return number, column + 1
        return self._line, self._column + 1 if self._column else 0
