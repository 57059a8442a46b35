"""Windows of an utterance that are computed one by one, on one or several threads."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

Window = tuple[int, int]
"""Window: first frame, and the one behind the last."""
Each = Callable[[Callable[[Window], None], Sequence[Window]], None]
"""Function that processes every window, in any order and on any threads."""


def windows(frames: int, longest: int) -> list[Window]:
    """As few windows of at most ``longest`` as cover ``frames``, of nearly equal length."""
    count = max(1, -(-frames // longest))
    edges = [index * frames // count for index in range(count + 1)]
    return list(pairwise(edges))


def one_by_one(work: Callable[[Window], None], places: Sequence[Window]) -> None:
    """``Each`` on the caller's thread."""
    for place in places:
        work(place)
