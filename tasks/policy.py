"""Retry policy: which errors are retried, how often, and after which delay."""

from __future__ import annotations

import random
from typing import Final

from redis.exceptions import RedisError

from koebin.engine.errors import InferenceFailed, InvalidInput, KoebinError, SpeakerError, StoreFull, TransientError

MAX_STRIKES: Final = 2
"""Lost processes without progress after which a chunk's segments are rendered one by one."""

MAX_HEADLESS_STRIKES: Final = 6
"""Lost processes in that mode, outside of any segment, after which the rest of the chunk becomes dead letters."""

FIRST_DELAY_SECONDS: Final = 2.0
LONGEST_DELAY_SECONDS: Final = 60.0


def retried(error: BaseException) -> bool:
    """Whether the same request may succeed later; a full disk is treated like an outage."""
    return isinstance(error, (TransientError, StoreFull))


def segments_own(error: Exception) -> KoebinError | None:
    """The error if it concerns one segment alone, so that the others can still be spoken; None otherwise.

    An unexpected error while a segment is rendered counts as its own, too: the job must end, and name the segment.
    """
    if isinstance(error, KoebinError):
        return error if isinstance(error, (InvalidInput, SpeakerError, InferenceFailed)) else None
    if isinstance(error, (RedisError, OSError)):
        return None
    return InferenceFailed(
        f"unexpected error in the engine ({type(error).__name__}), see the worker's log", str(error)[:200]
    )


def delay_seconds(delays: int) -> float:
    """Seconds before the next attempt, after ``delays`` earlier delays."""
    return jittered(delays, FIRST_DELAY_SECONDS, LONGEST_DELAY_SECONDS)


def jittered(delays: int, first: float, longest: float) -> float:
    """Exponential delay after ``delays`` earlier ones, capped, in the upper half of full jitter."""
    delay: float = min(longest, first * 2 ** min(delays, 20))
    return delay * random.uniform(0.5, 1.0)
