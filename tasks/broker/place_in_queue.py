"""Place of a job's chunk in its queue: a flood of single texts of the same priority does not bury a book.

A chunk is laid behind so many texts at most, and as many again behind the chunk before it. So chunks keep their order,
and both kinds make progress.
"""

from __future__ import annotations

from typing import Final

from redis import Redis

from koebin.tasks import redis_keys
from koebin.tasks.broker.delayed_messages import Message
from koebin.tasks.contracts import ASSEMBLE, SYNTHESIZE_CHUNK
from koebin.tasks.priorities import priority_step

TEXTS_BETWEEN: Final = 32
"""A chunk is half a minute of a worker's time, a short text a quarter of a second."""
_MOST_LOOKED_AT: Final = 5000
_REMEMBERED_SECONDS: Final = 3600

# The message that was sent last is the leftmost; what is served next is the rightmost.
_PLACE: Final = """
local list, marker = KEYS[1], KEYS[2]
local length = redis.call('LLEN', list)
local mine = redis.call('LINDEX', list, 0)
if not mine or not string.find(mine, ARGV[1], 1, true) then return 0 end
local before = 0
local last = redis.call('GET', marker)
if last then
  local at = redis.pcall('LPOS', list, last, 'RANK', -1, 'MAXLEN', ARGV[3])
  if type(at) == 'number' then before = length - at end
end
redis.call('SET', marker, mine, 'EX', ARGV[4])
local target = before + tonumber(ARGV[2])
if target >= length - 1 then return 0 end
redis.call('LPOP', list)
redis.call('LINSERT', list, 'BEFORE', redis.call('LINDEX', list, -target), mine)
return 1
"""


def place(redis: Redis, message: Message) -> bool:
    """Move a job's message that was sent just now to its place; whether it moved."""
    if message.task not in (SYNTHESIZE_CHUNK, ASSEMBLE):
        return False
    name = redis_keys.priority_list(message.queue, priority_step(message.priority))
    args = [f'"{message.task_id}"', TEXTS_BETWEEN, _MOST_LOOKED_AT, _REMEMBERED_SECONDS]
    return bool(redis.eval(_PLACE, 2, name, redis_keys.PLACES + name, *map(str, args)))
