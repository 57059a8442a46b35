"""Survey of the live jobs: what each lacks, asked page by page so that no command holds the server for long.

A page of fifty jobs takes the server one or two milliseconds, and only what needs somebody's attention comes back.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from redis import Redis

from koebin.tasks import redis_keys
from koebin.tasks.connection import as_text

PAGE_JOBS: Final = 50
_PAGES_AT_ONCE: Final = 40
_MOST_LOOKED_AT: Final = 20
"""Open chunks of one speaker of one job that a survey asks after; the next survey asks after the next ones."""

_LACKING: Final = """
local windows, assemblers, round = cjson.decode(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local rows = {}
for _, id in ipairs(redis.call('ZRANGE', KEYS[1], ARGV[1], ARGV[2])) do
  local job = 'koebin:job:' .. id
  local fields = redis.pcall('HMGET', job, 'state', 'speakers', 'engine_revision', 'waiting')
  local unserved, unleased, ready = {}, {}, 0
  if fields[1] == 'RUNNING' then
    local sound, speakers = pcall(cjson.decode, fields[2] or '')
    if sound and type(speakers) == 'table' then
      for speaker, revision in pairs(speakers) do
        local planned = redis.call('ZCARD', job .. ':planned:' .. speaker)
        local opened = redis.call('ZCARD', job .. ':open:' .. speaker)
        local window = windows[speaker .. ' ' .. tostring(revision) .. ' ' .. (fields[3] or '')] or 0
        if window == 0 and planned + opened > 0 then
          table.insert(unserved, speaker)
        elseif planned > 0 and opened < window then
          ready = 1
        end
        if opened > 0 then
          local most = tonumber(ARGV[6])
          local from = opened > most and (round * most) % opened or 0
          local numbers = redis.call('ZRANGE', job .. ':open:' .. speaker, from, from + most - 1)
          local leases = {}
          for at, number in ipairs(numbers) do leases[at] = 'koebin:lease:' .. id .. '/' .. number end
          if redis.call('EXISTS', unpack(leases)) < #numbers then
            for at, number in ipairs(numbers) do
              if redis.call('EXISTS', leases[at]) == 0 then table.insert(unleased, speaker .. ' ' .. number) end
            end
          end
        end
      end
    end
  elseif fields[1] == 'ASSEMBLING' then
    if assemblers == 0 then table.insert(unserved, '') end
    if redis.call('EXISTS', 'koebin:lease:' .. id .. '/assemble') == 0 then table.insert(unleased, '') end
  end
  if ready == 1 or #unserved > 0 or #unleased > 0 then
    table.insert(rows, {id, fields[4] or '', ready, unserved, unleased})
  end
end
return rows
"""

# Exact for what is soon done; of more chunks the count at their mean, for they are sized by work.
_WAITING: Final = """
local rows, found = {}, {}
for _, id in ipairs(redis.call('ZRANGE', KEYS[1], ARGV[1], ARGV[2])) do
  local job = 'koebin:job:' .. id
  local fields = redis.pcall('HMGET', job, 'state', 'speakers', 'priority', 'chunks', 'seconds')
  local sound, speakers = pcall(cjson.decode, fields[2] or '')
  if fields[1] == 'ASSEMBLING' then found['assembling'] = (found['assembling'] or 0) + 1 end
  if sound and type(speakers) == 'table' then
    for speaker, _ in pairs(speakers) do
      local planned, open = job .. ':planned:' .. speaker, job .. ':open:' .. speaker
      local count = redis.call('ZCARD', planned) + redis.call('ZCARD', open)
      local seconds = 0
      if count > tonumber(ARGV[3]) then
        seconds = count * (tonumber(fields[5]) or 0) / math.max(1, tonumber(fields[4]) or 1)
      elseif count > 0 then
        local numbers = redis.call('ZRANGE', planned, 0, -1)
        for _, number in ipairs(redis.call('ZRANGE', open, 0, -1)) do table.insert(numbers, number) end
        for _, value in ipairs(redis.call('HMGET', job .. ':chunks', unpack(numbers))) do
          seconds = seconds + (value and tonumber(string.match(value, '[^ ]+$') or '') or 0)
        end
      end
      local name = (tonumber(fields[3]) or 6) .. ' ' .. speaker
      if count > 0 then found[name] = (found[name] or 0) + seconds end
    end
  end
end
for name, value in pairs(found) do table.insert(rows, {name, tostring(value)}) end
return rows
"""
_EXACT_CHUNKS: Final = 32


@dataclass(frozen=True, slots=True)
class Lacking:
    """What one live job needs.

    Attributes:
        waiting: what it says that it waits for.
        ready: chunks are planned, and their speaker's window has room.
        unserved: speakers that no live worker serves with the planned revisions; "" is the assembly.
        unleased: open chunks that nobody runs now, as speaker and number; of the assembly "" and -1.
    """

    job: str
    waiting: str
    ready: bool
    unserved: tuple[str, ...]
    unleased: tuple[tuple[str, int], ...]


class LiveJobs:
    """Reader of all live jobs."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._lacking = redis.register_script(_LACKING)
        self._waiting = redis.register_script(_WAITING)
        self._round = 0

    def lacking(self, windows: Mapping[str, int], assemblers: int) -> Iterator[Lacking]:
        """Jobs that need something, oldest first.

        Args:
            windows: chunks that may be open, by ``speaker model_revision engine_revision``.
            assemblers: processes that assemble.
        """
        self._round += 1
        args = [json.dumps(dict(windows)), assemblers, self._round, _MOST_LOOKED_AT]
        for job, waiting, ready, unserved, unleased in self._pages(self._lacking, args):
            yield Lacking(
                as_text(job),
                as_text(waiting),
                bool(ready),
                tuple(as_text(speaker) for speaker in unserved),
                tuple(_chunk(as_text(row)) for row in unleased),
            )

    def waiting(self) -> tuple[dict[str, dict[int, float]], int]:
        """Predicted seconds of audio that are not done, by speaker and priority; and how many jobs are assembled."""
        seconds: dict[str, dict[int, float]] = {}
        assembling = 0
        for name, value in self._pages(self._waiting, [_EXACT_CHUNKS]):
            priority, _, speaker = as_text(name).partition(" ")
            if not speaker:
                assembling += int(float(value))
                continue
            by_priority = seconds.setdefault(speaker, {})
            by_priority[int(priority)] = by_priority.get(int(priority), 0.0) + float(value)
        return seconds, assembling

    def _pages(self, script: Any, args: list[Any]) -> Iterator[Any]:
        """What a script says of every page of jobs; one that ends meanwhile may move another out of sight for once."""
        start, total = 0, int(self._redis.zcard(redis_keys.JOBS))
        while start < total:
            pipe = self._redis.pipeline(transaction=False)
            for _ in range(_PAGES_AT_ONCE):
                script(keys=[redis_keys.JOBS], args=[start, start + PAGE_JOBS - 1, *args], client=pipe)
                start += PAGE_JOBS
                if start >= total:
                    break
            for rows in pipe.execute():
                yield from rows


def _chunk(row: str) -> tuple[str, int]:
    speaker, _, number = row.rpartition(" ")
    return (speaker, int(number)) if speaker else ("", -1)
