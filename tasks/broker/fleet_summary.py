"""Counted summary of the fleet: how many processes serve a speaker, without reading every announcement.

``koebin:fleet`` holds, for ``speaker model_revision engine_revision``, the processes that serve it, and those that
assemble. Announcements keep it up as they change. Whoever requeues lost work counts anew from time to time, because a
worker that was killed says nothing, and workers of older releases know nothing of it. It expires when nobody counts:
then all announcements are read, as before.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final, Protocol

from redis import Redis

from koebin.tasks import redis_keys
from koebin.tasks.broker.fleet import (
    ANNOUNCEMENT_SECONDS,
    Announcement,
    announcement_document,
    fleet,
    remember_speakers,
)
from koebin.tasks.connection import as_text

SUMMARY_SECONDS: Final = 60
ASSEMBLERS: Final = "assemblers"
_VERSION: Final = "version"
_PAGE: Final = 50

_ADD: Final = """
local function add(counts, raw, sign, problems)
  local sound, said = pcall(cjson.decode, raw)
  if not sound or type(said) ~= 'table' then return end
  local children = tonumber(said.children) or 0
  if said.assembles == true then counts['assemblers'] = (counts['assemblers'] or 0) + sign * children end
  if type(said.speakers) ~= 'table' then return end
  for _, speaker in ipairs(said.speakers) do
    if type(speaker) == 'table' and type(speaker.name) == 'string' then
      local name = speaker.name .. ' ' .. tostring(speaker.model_revision) .. ' ' .. tostring(said.engine_revision)
      counts[name] = (counts[name] or 0) + sign * children
      if problems and type(said.problem) == 'string' and said.problem ~= '' then problems[name] = said.problem end
    end
  end
end
"""

_ANNOUNCE: Final = (
    _ADD
    + """
local before = redis.call('GET', KEYS[1])
if ARGV[1] == '' then
  redis.call('DEL', KEYS[1])
  redis.call('SREM', KEYS[2], ARGV[2])
else
  redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[3])
  redis.call('SADD', KEYS[2], ARGV[2])
end
if before == ARGV[1] then return 1 end
redis.call('HINCRBY', KEYS[3], 'version', 1)
if redis.call('HLEN', KEYS[3]) > 1 then
  local counts = {}
  if before then add(counts, before, -1) end
  if ARGV[1] ~= '' then add(counts, ARGV[1], 1) end
  for name, count in pairs(counts) do
    if count ~= 0 then redis.call('HINCRBY', KEYS[3], name, count) end
  end
end
return 1
"""
)

# 0: it is not there, or another document: it must be said in full.
_HEARTBEAT: Final = """
local said = redis.call('GET', KEYS[1])
if not said or redis.sha1hex(said) ~= ARGV[1] then return 0 end
redis.call('EXPIRE', KEYS[1], ARGV[2])
return 1
"""

_COUNT: Final = (
    _ADD
    + """
local counts, gone, problems = {}, {}, {}
for at = 2, #ARGV do
  local said = redis.call('GET', ARGV[1] .. ARGV[at])
  if said then add(counts, said, 1, problems) else table.insert(gone, ARGV[at]) end
end
if #gone > 0 then redis.call('SREM', KEYS[1], unpack(gone)) end
local found = {}
for name, count in pairs(counts) do
  table.insert(found, name)
  table.insert(found, count)
end
for name, problem in pairs(problems) do
  table.insert(found, name .. '\\n' .. problem)
  table.insert(found, 0)
end
return found
"""
)

_REPLACE: Final = """
local version = redis.call('HGET', KEYS[1], 'version') or '0'
if version ~= ARGV[1] then return 0 end
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], 'version', version, unpack(ARGV, 3))
redis.call('EXPIRE', KEYS[1], ARGV[2])
return 1
"""


class Serving(Protocol):
    """Answer to how many processes may run a chunk."""

    def children(self, speaker: str, model_revision: str, engine_revision: str) -> int:
        """Number of pool processes that can run a chunk planned with these revisions."""
        ...


@dataclass(frozen=True, slots=True)
class Summary:
    """Counts at one moment, by ``speaker model_revision engine_revision``.

    Attributes:
        problems: by the same names, why a worker takes nothing now.
    """

    counts: Mapping[str, int]
    problems: Mapping[str, str] = field(default_factory=dict)

    def children(self, speaker: str, model_revision: str, engine_revision: str) -> int:
        """Number of pool processes that can run a chunk planned with these revisions."""
        return max(0, self.counts.get(f"{speaker} {model_revision} {engine_revision}", 0))

    def assemblers(self) -> int:
        """Number of pool processes that assemble."""
        return max(0, self.counts.get(ASSEMBLERS, 0))

    def live(self, speaker: str) -> list[str]:
        """Revisions with which a speaker is served, as ``speaker@model/engine``."""
        found = []
        for key, count in self.counts.items():
            name, _, revisions = key.partition(" ")
            problem = self.problems.get(key, "")
            if name == speaker and (count > 0 or problem):
                why = f" (takes nothing now: {problem})" if count <= 0 else ""
                found.append(f"{name}@{revisions.replace(' ', '/')}{why}")
        return sorted(found)


class FleetSummary:
    """Writer and counter of the summary, for workers' parents."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._announce = redis.register_script(_ANNOUNCE)
        self._heartbeat = redis.register_script(_HEARTBEAT)
        self._count = redis.register_script(_COUNT)
        self._replace = redis.register_script(_REPLACE)

    def announce(self, announcement: Announcement, last_digest: str = "") -> str:
        """Announce a worker, or repeat it: what has not changed is not sent again.

        Args:
            last_digest: what the last call returned.

        Returns:
            The digest of what is announced.
        """
        document, digest = _document(announcement)
        if digest == last_digest:
            known = self._heartbeat(keys=[redis_keys.worker(announcement.key)], args=[digest, ANNOUNCEMENT_SECONDS])
            if known:
                return digest
        self._say(announcement.key, document)
        remember_speakers(self._redis, announcement)
        return digest

    def withdraw(self, key: str) -> None:
        """Withdraw a worker's announcement."""
        self._say(key, "")

    def _say(self, key: str, document: str) -> None:
        keys = [redis_keys.worker(key), redis_keys.WORKERS, redis_keys.FLEET]
        self._announce(keys=keys, args=[document, key, ANNOUNCEMENT_SECONDS])

    def count(self) -> Summary:
        """Count all live announcements, and keep the result for those who dispatch."""
        version: Any = self._redis.hget(redis_keys.FLEET, _VERSION)
        names = iter([as_text(name) for name in self._redis.sscan_iter(redis_keys.WORKERS, count=500)])
        pipe = self._redis.pipeline(transaction=False)
        while page := list(islice(names, _PAGE)):
            self._count(keys=[redis_keys.WORKERS], args=[redis_keys.worker(""), *page], client=pipe)
        counts: dict[str, int] = {}
        problems: dict[str, str] = {}
        for answer in pipe.execute():
            for name, count in zip(answer[::2], answer[1::2], strict=True):
                key, _, problem = as_text(name).partition("\n")
                counts[key] = counts.get(key, 0) + int(count)
                if problem:
                    problems[key] = problem
        counts.setdefault(ASSEMBLERS, 0)
        pairs = [part for pair in counts.items() for part in pair]
        # Else a worker has announced something meanwhile: what it has counted up is kept, and the next count tells.
        self._replace(keys=[redis_keys.FLEET], args=[as_text(version or "0"), SUMMARY_SECONDS, *pairs])
        return Summary(counts, problems)


def serving(redis: Redis, speakers: Mapping[str, str], engine_revision: str) -> Serving:
    """How many processes serve the speakers of a job.

    Args:
        speakers: model revisions by name.
    """
    names = [f"{speaker} {model} {engine_revision}" for speaker, model in speakers.items()]
    found: Any = redis.hmget(redis_keys.FLEET, [ASSEMBLERS, *names])
    if found[0] is None:
        return fleet(redis)  # nobody has counted: all workers are of an older release, or all are gone
    return Summary({name: int(count) for name, count in zip(names, found[1:], strict=True) if count is not None})


def _document(announcement: Announcement) -> tuple[str, str]:
    document = announcement_document(announcement)
    return document, hashlib.sha1(document.encode(), usedforsecurity=False).hexdigest()
