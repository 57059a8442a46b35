"""Fair turns among priorities: the most urgent messages go first, but what is less urgent never waits for ever.

A flood of urgent texts would keep briefings and books from making any progress. So a priority that was passed over for
many messages is looked into first, once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

PASSED_OVER: Final = 16
"""Messages that may go before a less urgent one which waits."""


class FairTurns:
    """Order of the priorities at one worker's next look.

    Args:
        steps: priorities, the most urgent first.
    """

    def __init__(self, steps: Sequence[int]) -> None:
        self._steps = tuple(steps)
        self._passed = dict.fromkeys(self._steps, 0)

    def order(self) -> list[int]:
        """Priorities in the order in which they are looked into."""
        longest = max(self._steps, key=lambda step: self._passed[step])
        if self._passed[longest] < PASSED_OVER:
            return list(self._steps)
        self._passed[longest] = 0
        return [longest, *(step for step in self._steps if step != longest)]

    def taken(self, step: int) -> None:
        """Note that a message of this priority was taken."""
        for other in self._steps:
            self._passed[other] = self._passed[other] + 1 if other > step else self._passed[other]
        self._passed[step] = 0
