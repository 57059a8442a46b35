"""What is retried, how often, and after which delay."""

from __future__ import annotations

import random
from typing import Final

from redis.exceptions import RedisError

from koebin.engine.errors import InferenceFailed, InvalidInput, KoebinError, SpeakerError, StoreFull, TransientError

MAX_STRIKES: Final = 2
"""Lost processes without progress before a chunk's segments are rendered one by one."""

MAX_HEADLESS_STRIKES: Final = 6
"""Lost processes in that mode, but outside of any segment, before the whole rest of the chunk is given up."""

FIRST_DELAY_SECONDS: Final = 2.0
LONGEST_DELAY_SECONDS: Final = 60.0


def retried(error: BaseException) -> bool:
    """Whether the same request may succeed later; a full disk is waited out like an outage."""
    return isinstance(error, (TransientError, StoreFull))


def segments_own(error: Exception) -> KoebinError | None:
    """The error if it is a property of one segment, so that the others can still be spoken; None if it is not.

    What nobody foresaw while a segment was rendered counts as its own, too: the job must end, and name it.
    """
    if isinstance(error, KoebinError):
        return error if isinstance(error, (InvalidInput, SpeakerError, InferenceFailed)) else None
    if isinstance(error, (RedisError, OSError)):
        return None
    return InferenceFailed(f"the engine stumbled over it ({type(error).__name__})", str(error)[:200])


def delay_seconds(delays: int) -> float:
    """Seconds before the next try after ``delays`` earlier ones."""
    return jittered(delays, FIRST_DELAY_SECONDS, LONGEST_DELAY_SECONDS)


def jittered(delays: int, first: float, longest: float) -> float:
    """A delay after ``delays`` earlier ones: exponential, capped, with full jitter's upper half."""
    delay: float = min(longest, first * 2 ** min(delays, 20))
    return delay * random.uniform(0.5, 1.0)
