"""Rates of a key, in Redis: the same for all doors of a deployment."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from redis import Redis

from koebin.producers.http.api_keys import Key
from koebin.producers.http.errors import TooMany
from koebin.tasks import redis_keys

_SPEND: Final = """
local now = redis.call('TIME')
now = now[1] + now[2] / 1000000
local rate, most, cost = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local level = tonumber(redis.call('HGET', KEYS[1], 'level') or most)
local since = tonumber(redis.call('HGET', KEYS[1], 'since') or now)
level = math.min(most, level + math.max(0, now - since) * rate)
local wait = 0
if level >= math.min(cost, most) then level = level - cost else wait = (math.min(cost, most) - level) / rate end
redis.call('HSET', KEYS[1], 'level', tostring(level), 'since', string.format('%.6f', now))
redis.call('EXPIRE', KEYS[1], math.ceil(most / rate) + 60)
return tostring(wait)
"""
"""A token bucket. What costs more than the bucket holds is let through when it is full, and then owed."""


class Limits:
    """What keys have spent. Rates are shared by all doors through Redis; requests at once are counted here."""

    def __init__(self, redis: Redis) -> None:
        self._spend = redis.register_script(_SPEND)
        self._running: Counter[str] = Counter()

    def spend(self, key: Key, *, requests: int = 0, characters: int = 0) -> None:
        """Count requests or characters against a key's rates; a minute's worth may come at once.

        Raises:
            TooMany: says after how many seconds to come again.
            RedisError: nobody can say.
        """
        if key.alone:
            return
        for what, cost, rate in (
            ("requests", requests, key.requests_per_minute),
            ("characters", characters, key.characters_per_minute),
        ):
            if not cost:
                continue
            name = f"{redis_keys.HTTP}rate:{what}:{key.name}"
            wait = float(self._spend(keys=[name], args=[rate / 60.0, rate, cost]))
            if wait > 0.0:
                raise TooMany(
                    f"the key's {what} a minute are spent", f"{rate:g}", f"Come again in {wait:.0f} s", seconds=wait
                )

    @contextmanager
    def running(self, key: Key) -> Iterator[None]:
        """One request of a key, for as long as it is answered.

        Raises:
            TooMany: the key has too many at once.
        """
        if self._running[key.name] >= key.concurrent:
            raise TooMany("the key has too many requests at once", str(key.concurrent), "Wait for one to end")
        self._running[key.name] += 1
        try:
            yield
        finally:
            self._running[key.name] -= 1
