"""Census of the messages: which tasks of jobs are queued, with a worker or delayed, read a part at a time.

Queues may hold a hundred thousand texts. So only ids leave the server, a page of messages is read by one short command,
and a census may last for many rounds. It begins at the left ends, where messages are added: what is taken meanwhile
moves nothing out of sight. Then it reads what workers hold, and what is delayed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

from redis import Redis

from koebin.tasks import redis_keys
from koebin.tasks.connection import as_text

PAGE_MESSAGES: Final = 200
"""Messages that one command looks into; it takes the server a millisecond or two."""

# An id of ours holds a slash. The body comes first, as base64, so that the first "headers" is the message's own.
_ID: Final = """
local function id_of(raw)
  local from = string.find(raw, '"headers"', 1, true)
  local at = from and string.find(raw, '"id"', from, true)
  return at and string.match(raw, '^"id"%s*:%s*"([^"]*/[^"]*)"', at)
end
"""
_LISTED: Final = (
    _ID
    + """
local found, rows = {}, redis.call('LRANGE', KEYS[1], ARGV[1], ARGV[2])
for _, raw in ipairs(rows) do
  local id = id_of(raw)
  if id then table.insert(found, id) end
end
return {#rows, found}
"""
)
_HELD: Final = (
    _ID
    + """
local found = {}
local cursor, rows = unpack(redis.call('HSCAN', KEYS[1], ARGV[1], 'COUNT', ARGV[2]))
for at = 2, #rows, 2 do
  local id = id_of(rows[at])
  if id then table.insert(found, id) end
end
return {cursor, found}
"""
)
_DELAYED: Final = """
local found, rows = {}, redis.call('ZRANGE', KEYS[1], ARGV[1], ARGV[2])
for _, raw in ipairs(rows) do
  local id = string.match(raw, '^%[%s*"[^"]*"%s*,%s*"([^"]*)"')
  if id then table.insert(found, id) end
end
return {#rows, found}
"""


class QueueCensus:
    """One census; ``step`` until it is done.

    Attributes:
        wanted: tasks that it is about.
        seen: ids of tasks that are somewhere.
        done: everything was read.
    """

    def __init__(self, redis: Redis, wanted: Iterable[str], lists: Iterable[str]) -> None:
        self.wanted = frozenset(wanted)
        self.seen: set[str] = set()
        self.done = False
        self._listed = redis.register_script(_LISTED)
        self._held = redis.register_script(_HELD)
        self._delayed = redis.register_script(_DELAYED)
        self._pages = self._read(list(lists))

    def step(self, pages: int) -> bool:
        """Read so many more pages; whether everything was read."""
        for _ in range(pages):
            try:
                next(self._pages)
            except StopIteration:
                self.done = True
                break
        return self.done

    def missing(self) -> set[str]:
        """Tasks that are nowhere."""
        return set(self.wanted - self.seen)

    def _read(self, lists: list[str]) -> Iterator[None]:
        for name in lists:
            yield from self._ranges(self._listed, name)
        cursor = "0"
        while True:
            answer: Any = self._held(keys=[redis_keys.UNACKED], args=[cursor, PAGE_MESSAGES])
            self._note(answer[1])
            cursor = as_text(answer[0])
            yield
            if cursor == "0":
                break
        yield from self._ranges(self._delayed, redis_keys.DELAYED)

    def _ranges(self, script: Any, name: str) -> Iterator[None]:
        start = 0
        while True:
            count, found = script(keys=[name], args=[start, start + PAGE_MESSAGES - 1])
            self._note(found)
            start += PAGE_MESSAGES
            yield
            if count < PAGE_MESSAGES:
                return

    def _note(self, ids: Iterable[Any]) -> None:
        self.seen.update(self.wanted.intersection(as_text(one) for one in ids))
