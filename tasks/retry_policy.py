"""Number of further attempts at work, and the delays before them."""

from __future__ import annotations

import random
from typing import Final

MAX_STRIKES: Final = 2
"""Lost processes without progress after which a chunk's segments are rendered one by one."""

MAX_HEADLESS_STRIKES: Final = 6
"""Lost processes in that mode, outside of any segment, after which the rest of the chunk becomes dead letters."""

MAX_YIELDS: Final = 8
"""Times in a row that a chunk may be preempted with its first sentence still being spoken: then it stores one first."""

FIRST_DELAY_SECONDS: Final = 2.0
LONGEST_DELAY_SECONDS: Final = 60.0


def delay_seconds(delays: int) -> float:
    """Seconds before the next attempt, after ``delays`` earlier delays."""
    return jittered(delays, FIRST_DELAY_SECONDS, LONGEST_DELAY_SECONDS)


def jittered(delays: int, first: float, longest: float) -> float:
    """Exponential delay after ``delays`` earlier ones, capped, in the upper half of full jitter."""
    delay: float = min(longest, first * 2 ** min(delays, 20))
    return delay * random.uniform(0.5, 1.0)
