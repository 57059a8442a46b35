"""Leadership of one among many workers, held in Redis under a token and renewed while it lasts."""

from __future__ import annotations

import secrets
from typing import Final

from redis import Redis

_HOLD: Final = """
local owner = redis.call('GET', KEYS[1])
if owner and owner ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
"""
_RELEASE: Final = """
if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end
return 1
"""


class Leadership:
    """A lock that its holder keeps from round to round, so that it may remember what it has seen.

    Workers of releases before this one set the same key for part of a round; they and we never lead at once.

    Args:
        seconds: after which another takes over from a leader that is silent.
    """

    def __init__(self, redis: Redis, key: str, seconds: float) -> None:
        self._key = key
        self._milliseconds = max(100, int(seconds * 1000))
        self._token = secrets.token_hex(8)
        self._hold = redis.register_script(_HOLD)
        self._release = redis.register_script(_RELEASE)

    def hold(self) -> bool:
        """Take the lead, or keep it; False if another has it."""
        return bool(self._hold(keys=[self._key], args=[self._token, self._milliseconds]))

    def release(self) -> None:
        """Let another lead at once."""
        self._release(keys=[self._key], args=[self._token])
