"""Delays before further attempts at work."""

from __future__ import annotations

import random
from typing import Final

FIRST_DELAY_SECONDS: Final = 2.0
LONGEST_DELAY_SECONDS: Final = 60.0


def delay_seconds(delays: int) -> float:
    """Seconds before the next attempt, after ``delays`` earlier delays."""
    return jittered(delays, FIRST_DELAY_SECONDS, LONGEST_DELAY_SECONDS)


def jittered(delays: int, first: float, longest: float) -> float:
    """Exponential delay after ``delays`` earlier ones, capped, in the upper half of full jitter."""
    delay: float = min(longest, first * 2 ** min(delays, 20))
    return delay * random.uniform(0.5, 1.0)
