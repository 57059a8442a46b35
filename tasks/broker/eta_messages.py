"""Messages that wait for their ETA in Redis, as their sender wrote them.

Celery's worker keeps them in memory: there they count in its prefetch, and their visibility runs out. A member is the
name of the list that the message is to be laid into, a line break, and the message.
"""

from __future__ import annotations

import json
from typing import Any, Final

from redis import Redis

from koebin.tasks import redis_keys
from koebin.tasks.priorities import priority_step
from koebin.tasks.redis_keys import priority_list

_MOST_AT_ONCE: Final = 1000

_RELEASE: Final = """
local now = redis.call('TIME')
local present = now[1] .. '.' .. string.format('%06d', now[2])
local due = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', present, 'LIMIT', 0, ARGV[1])
for _, member in ipairs(due) do
    redis.call('ZREM', KEYS[1], member)
    local list, message = string.match(member, '^([^\\n]+)\\n(.*)$')
    if list and (string.sub(list, 1, 8) == 'speaker.' or string.sub(list, 1, 8) == 'assemble')
            and (redis.call('TYPE', list).ok == 'list' or redis.call('TYPE', list).ok == 'none') then
        redis.call('LPUSH', list, message)
    else
        local row = {time=tonumber(now[1]), reason=ARGV[2], message=string.sub(member, 1, 4000)}
        redis.call('LPUSH', KEYS[2], cjson.encode(row))
        redis.call('LTRIM', KEYS[2], 0, 999)
    end
end
return #due
"""
_BAD: Final = "a held message belongs to no queue of ours"


def hold(redis: Redis, queue: str, priority: int, message: dict[str, Any], due: float) -> None:
    """Lay a message aside until ``due``, in seconds since the epoch by the server's clock."""
    member = f"{priority_list(queue, priority_step(priority))}\n{json.dumps(message)}"
    redis.zadd(redis_keys.HELD, {member: due})


def release_due(redis: Redis) -> int:
    """Lay what is due into its queue, in one step each; returns how many messages were due."""
    return int(redis.eval(_RELEASE, 2, redis_keys.HELD, redis_keys.UNREADABLE, str(_MOST_AT_ONCE), _BAD))


def count_held(redis: Redis) -> int:
    """How many messages wait here."""
    return int(redis.zcard(redis_keys.HELD))


def held_messages(redis: Redis, most: int = 10_000) -> list[tuple[str, bytes]]:
    """Lists and messages of what waits here, the next one first."""
    rows: Any = redis.zrange(redis_keys.HELD, 0, most - 1)
    parts = (row.partition(b"\n") for row in rows)
    return [(name.decode(errors="replace"), message) for name, _, message in parts]
