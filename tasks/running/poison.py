"""Poison: work that ends its process again and again.

What is suspected is rendered alone, so that a lost process tells which segment it was; what is found is set aside.
"""

from __future__ import annotations

from typing import Final

from koebin.tasks.broker.leases import Attempt

MAX_STRIKES: Final = 2
"""Lost processes without progress after which a chunk's segments are rendered one by one."""

MAX_HEADLESS_STRIKES: Final = 6
"""Lost processes in that mode, outside of any segment, after which the rest of the chunk becomes dead letters."""


def renders_alone(attempt: Attempt) -> bool:
    """Whether a chunk's segments are rendered one by one."""
    return attempt.isolated or attempt.strikes >= MAX_STRIKES


def is_given_up(attempt: Attempt) -> bool:
    """Whether what is left of a chunk or an assembly is given up, although no segment is known to be the cause."""
    return attempt.strikes >= MAX_HEADLESS_STRIKES


def is_refused(attempt: Attempt) -> bool:
    """Whether a single text is refused: it is alone in its process, so it is the cause."""
    return attempt.strikes > MAX_STRIKES
