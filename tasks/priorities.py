"""Priorities of messages: their names, the steps that have lists of their own, and rounding to a step."""

from __future__ import annotations

from typing import Final

PRIORITIES: Final = {"interactive": 0, "briefing": 3, "batch": 6}


PRIORITY_STEPS: Final = (0, 3, 6, 9)
"""Redis lists of one queue, read in this order."""


def priority_step(priority: int) -> int:
    """The step whose list holds messages of a priority: the next below it, as kombu rounds."""
    return max((step for step in PRIORITY_STEPS if step <= priority), default=PRIORITY_STEPS[0])
