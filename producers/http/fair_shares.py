"""Fair shares of a queue: whoever has had least for their share is next."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(slots=True)
class _Line(Generic[T]):
    """What one key has waiting. ``served`` is its virtual time: cost that was served, divided by its share."""

    served: float = 0.0
    waiting: deque[tuple[float, T]] = field(default_factory=deque)


class FairShares(Generic[T]):
    """Start-time fair queueing over keys; in the line of one key, first come is first served.

    A key that was idle begins at the virtual time of the others: it has saved up nothing, and owes nothing.
    """

    def __init__(self) -> None:
        self._lines: dict[str, _Line[T]] = {}
        self._now = 0.0

    def __len__(self) -> int:
        return sum(len(line.waiting) for line in self._lines.values())

    def push(self, key: str, share: float, cost: float, item: T) -> None:
        """Put an item at the end of a key's line.

        Args:
            cost: of serving it, in any unit that all items share.
        """
        line = self._lines.setdefault(key, _Line())
        if not line.waiting:
            line.served = max(line.served, self._now)
        line.waiting.append((cost / share, item))

    def pop(self) -> T | None:
        """The next item, None if there is none."""
        waiting = [(line.served, key) for key, line in self._lines.items() if line.waiting]
        if not waiting:
            self._lines.clear()  # nobody is owed anything while nobody waits
            return None
        self._now, key = min(waiting)
        line = self._lines[key]
        cost, item = line.waiting.popleft()
        line.served += cost
        return item

    def remove(self, item: T) -> bool:
        """Take an item out of its line; False if it is in none."""
        for line in self._lines.values():
            for entry in line.waiting:
                if entry[1] is item:
                    line.waiting.remove(entry)
                    return True
        return False
