"""Preemption: whether more urgent work waits for this process.

A task of several sentences asks between them; if preempted it stores what it has and returns the rest to the queue. One
worker is enough for one message, so each waiting message is claimed by the first worker that sees it.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from typing import Any, Final

from redis import Redis
from redis.exceptions import RedisError

from koebin.tasks import redis_keys
from koebin.tasks.priorities import PRIORITY_STEPS, priority_step
from koebin.tasks.redis_keys import priority_list

log = logging.getLogger(__name__)

_SECONDS_BETWEEN_LOOKS: Final = 0.1
MAX_YIELDS: Final = 8
"""Times in a row that a chunk may be preempted with its first sentence still being spoken: then it stores one first."""
_CLAIM_SECONDS: Final = 5
"""Seconds after which a claim expires: its worker has gone, or took another message."""
_MOST_CLAIMED: Final = 32
"""Messages of one list that are read; it bounds the cost of a look."""

_CLAIM: Final = """
if #KEYS < 2 or redis.call('EXISTS', unpack(KEYS, 2)) == 0 then return 0 end
local now = tonumber(redis.call('TIME')[1])
for at = 2, #KEYS do
    for _, message in ipairs(redis.call('LRANGE', KEYS[at], -ARGV[1], -1)) do
        redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - ARGV[2])
        if redis.call('ZADD', KEYS[1], 'NX', now, redis.sha1hex(string.sub(message, -512))) == 1 then
            redis.call('EXPIRE', KEYS[1], ARGV[2] * 2)
            return 1
        end
    end
end
return 0
"""
"""A message is identified by its end, where kombu writes its tag: hashing all of a long one would block Redis."""


class Preemption:
    """Preemption check over the queues that a worker serves."""

    def __init__(self, redis: Redis, queues: Sequence[str]) -> None:
        self._claim = redis.register_script(_CLAIM)
        self._queues = tuple(queues)
        self._looked = 0.0

    def claim(self, priority: int) -> bool:
        """Whether a message of a higher priority waits that no other worker has claimed; it is claimed then.

        One query to Redis, and none within a tenth of a second after the last. Without Redis nothing preempts.
        """
        if not self._queues or time.monotonic() - self._looked < _SECONDS_BETWEEN_LOOKS:
            return False
        self._looked = time.monotonic()
        try:
            return bool(
                self._claim(
                    keys=[redis_keys.PREEMPTION_CLAIMS, *self._more_urgent(priority)],
                    args=[_MOST_CLAIMED, _CLAIM_SECONDS],
                )
            )
        except RedisError as error:
            log.debug("Redis does not answer; preemption is not checked: %s", error)
            return False

    def _more_urgent(self, priority: int) -> list[Any]:
        own = priority_step(priority)
        return [priority_list(queue, step) for step in PRIORITY_STEPS if step < own for queue in self._queues]
