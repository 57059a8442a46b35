"""Does anything wait that is more urgent than what this process does?

A worker that runs several sentences of a batch asks between them, and makes way: it stores what it has, and gives the
rest back. One worker is enough for one message, so each that waits is claimed by the first that sees it.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from typing import Any, Final

from redis import Redis
from redis.exceptions import RedisError

from koebin.tasks import redis_keys
from koebin.tasks.contracts import PRIORITY_STEPS
from koebin.tasks.redis_keys import priority_list

log = logging.getLogger(__name__)

_SECONDS_BETWEEN_LOOKS: Final = 0.1
_CLAIM_SECONDS: Final = 5
"""A message that is still there then was claimed by a worker that has gone, or that took another: the next may come."""
_MOST_CLAIMED: Final = 32
"""Messages of one list that are looked at; it bounds what a look costs."""

_CLAIM: Final = """
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
"""A message is told by its end, where kombu writes its tag: it may be long, and Redis does nothing else meanwhile."""


class Precedence:
    """Looks into the queues that a worker serves."""

    def __init__(self, redis: Redis, queues: Sequence[str]) -> None:
        self._claim = redis.register_script(_CLAIM)
        self._queues = tuple(queues)
        self._looked = 0.0

    def claim(self, priority: int) -> bool:
        """Whether a message of a higher priority waits for which no other worker makes way; it is ours then.

        One question to Redis, and none within a tenth of a second after the last; without Redis nothing waits.
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
            log.debug("nobody can say whether anything urgent waits: %s", error)
            return False

    def _more_urgent(self, priority: int) -> list[Any]:
        own = max(step for step in PRIORITY_STEPS if step <= max(priority, PRIORITY_STEPS[0]))
        return [priority_list(queue, step) for step in PRIORITY_STEPS if step < own for queue in self._queues]
