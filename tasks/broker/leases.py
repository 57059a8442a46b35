"""Leases of tasks, and attempts: how often a task has killed its process.

A lease is ``koebin:lease:<task id>``; its value is a random nonce and it expires with the visibility timeout. Taking,
renewing and giving back compare that value and change it in one script, because a redelivered message keeps its
delivery tag: without an owner a thawed worker would renew the lease of the one that took over.

An attempt is ``koebin:attempt:<task id>``: how many processes died under the task since it last made progress, and
which segment was being rendered alone when the last one did.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from redis import Redis

from koebin.tasks import redis_keys
from koebin.tasks.connection import as_text
from koebin.tasks.redis_keys import chunk_task

_ATTEMPT_SECONDS: Final = 7 * 24 * 3600

_DECLINED: Final = "declined:"

_ACQUIRE: Final = """
if redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) then return 1 end
return 0
"""

# A missing lease is set again: the server may have lost it, and nobody else has acquired it.
_RENEW: Final = """
local owner = redis.call('GET', KEYS[1])
if owner and owner ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
if ARGV[3] ~= '' then
  local now = redis.call('TIME')
  redis.call('ZADD', KEYS[2], 'XX', now[1] .. '.' .. string.format('%06d', now[2]), ARGV[3])
end
return 1
"""

_RELEASE: Final = """
local owner = redis.call('GET', KEYS[1])
if owner and owner ~= ARGV[1] then return 0 end
redis.call('DEL', KEYS[1])
return 1
"""

_STRIKE: Final = """
local alone = redis.call('HGET', KEYS[1], 'alone')
local strikes = 1
if alone then
  redis.call('HSET', KEYS[1], 'condemned:' .. alone, ARGV[1])
  redis.call('HDEL', KEYS[1], 'alone', 'strikes')
else
  strikes = redis.call('HINCRBY', KEYS[1], 'strikes', 1)
end
redis.call('HSET', KEYS[1], 'reason', ARGV[1])
redis.call('EXPIRE', KEYS[1], ARGV[2])
return strikes
"""

# A process that was stopped meanwhile may come here long after another one has finished the chunk.
_KEEP: Final = """
if redis.call('SISMEMBER', KEYS[2], ARGV[1]) == 1 then return 0 end
redis.call('HINCRBY', KEYS[1], 'rendered', ARGV[2])
if ARGV[2] == '0' then redis.call('HINCRBY', KEYS[1], 'yields', 1) end
redis.call('HINCRBYFLOAT', KEYS[1], 'seconds', ARGV[3])
redis.call('HINCRBYFLOAT', KEYS[1], 'wall_seconds', ARGV[4])
redis.call('EXPIRE', KEYS[1], ARGV[5])
return 1
"""


@dataclass(frozen=True, slots=True)
class Attempt:
    """Record of earlier runs of a task.

    Attributes:
        strikes: processes lost since the task last made progress.
        isolated: segments must be rendered one by one.
        condemned: keys of segments that killed a process while rendered alone, with the evidence.
        reason: evidence of the last lost process.
        rendered: segments stored by runs that were preempted.
        seconds: their audio.
        wall_seconds: duration of those runs.
        yields: preemptions since a segment was stored.
    """

    strikes: int
    isolated: bool
    condemned: dict[str, str]
    reason: str
    rendered: int = 0
    seconds: float = 0.0
    wall_seconds: float = 0.0
    yields: int = 0


class Leases:
    """Leases and attempts in one Redis database."""

    def __init__(self, redis: Redis, timeout_seconds: float) -> None:
        self.redis = redis
        self._redis = redis
        self._milliseconds = max(1, int(timeout_seconds * 1000))
        self._acquire = redis.register_script(_ACQUIRE)
        self._renew = redis.register_script(_RENEW)
        self._release = redis.register_script(_RELEASE)
        self._strike = redis.register_script(_STRIKE)
        self._keep = redis.register_script(_KEEP)

    def acquire(self, task_id: str) -> str | None:
        """Acquire a lease; returns its nonce, or None while somebody holds it."""
        nonce = secrets.token_hex(16)
        taken = self._acquire(keys=[redis_keys.lease(task_id)], args=[nonce, self._milliseconds])
        return nonce if taken else None

    def renew(self, task_id: str, nonce: str, delivery_tag: str = "") -> bool:
        """Renew the lease, and the visibility of its message; False if another owns it now."""
        keys = [redis_keys.lease(task_id), redis_keys.UNACKED_INDEX]
        return bool(self._renew(keys=keys, args=[nonce, self._milliseconds, delivery_tag]))

    def renew_all(self, held: Sequence[tuple[str, str, str]]) -> list[bool]:
        """Renew several leases in one round trip; each as task id, nonce and delivery tag."""
        if not held:
            return []
        pipe = self._redis.pipeline(transaction=False)
        for task_id, nonce, delivery_tag in held:
            keys = [redis_keys.lease(task_id), redis_keys.UNACKED_INDEX]
            self._renew(keys=keys, args=[nonce, self._milliseconds, delivery_tag], client=pipe)
        return [bool(answer) for answer in pipe.execute()]

    def release(self, task_id: str, nonce: str) -> bool:
        """Release the lease; False if another owns it now. One that merely expired was still ours."""
        return bool(self._release(keys=[redis_keys.lease(task_id)], args=[nonce]))

    def owned(self, task_id: str, nonce: str) -> bool:
        """Whether nobody else has acquired the lease; a lease that is merely missing is still ours."""
        owner = self._redis.get(redis_keys.lease(task_id))
        return owner is None or as_text(owner) == nonce

    def leased(self, task_ids: Sequence[str]) -> set[str]:
        """Those of the tasks that somebody holds a lease of."""
        if not task_ids:
            return set()
        values: Any = self._redis.mget([redis_keys.lease(task_id) for task_id in task_ids])
        return {task_id for task_id, value in zip(task_ids, values, strict=True) if value is not None}

    def attempt(self, task_id: str) -> Attempt:
        """Record of earlier runs."""
        fields: Any = self._redis.hgetall(redis_keys.attempt(task_id))
        found = {as_text(name): as_text(value) for name, value in fields.items()}
        prefix = "condemned:"
        return Attempt(
            strikes=int(found.get("strikes", 0)),
            isolated=found.get("isolated") == "1",
            condemned={name.removeprefix(prefix): why for name, why in found.items() if name.startswith(prefix)},
            reason=found.get("reason", ""),
            rendered=int(found.get("rendered", 0)),
            seconds=float(found.get("seconds", 0.0)),
            wall_seconds=float(found.get("wall_seconds", 0.0)),
            yields=int(found.get("yields", 0)),
        )

    def strike(self, task_id: str, reason: str) -> int:
        """Count a lost process against the task; returns the strikes since its last progress."""
        return int(self._strike(keys=[redis_keys.attempt(task_id)], args=[reason[:300], _ATTEMPT_SECONDS]))

    def isolate(self, task_id: str) -> None:
        """Mark the task: from now on its segments are rendered one by one."""
        self._redis.hset(redis_keys.attempt(task_id), "isolated", "1")

    def alone(self, task_id: str, segment: str) -> None:
        """Note that ``segment`` is about to be rendered alone: it is to blame if the process dies now."""
        self._redis.hset(redis_keys.attempt(task_id), "alone", segment)

    def progress(self, task_id: str) -> None:
        """Note that a segment was stored: it clears the strikes so far."""
        self._redis.hdel(redis_keys.attempt(task_id), "strikes", "alone", "delays", "yields")

    def keep(self, job: str, chunk: int, rendered: int, seconds: float, wall_seconds: float) -> bool:
        """Add this run's figures to those of the run that ends the chunk; False if one has ended it."""
        args: list[Any] = [chunk, rendered, seconds, wall_seconds, _ATTEMPT_SECONDS]
        return bool(
            self._keep(keys=[redis_keys.attempt(chunk_task(job, chunk)), redis_keys.done_chunks(job)], args=args)
        )

    def count_delay(self, task_id: str) -> int:
        """Count a delay of the task; returns the number of earlier ones."""
        pipe = self._redis.pipeline(transaction=True)
        pipe.hincrby(redis_keys.attempt(task_id), "delays", 1)
        pipe.expire(redis_keys.attempt(task_id), _ATTEMPT_SECONDS)
        count, _ = pipe.execute()
        return int(count) - 1

    def decline(self, task_id: str, worker: str, reason: str) -> dict[str, int]:
        """Note that ``worker`` could not do the task for a fault of its own; how often each one could not."""
        name = redis_keys.attempt(task_id)
        pipe = self._redis.pipeline(transaction=True)
        pipe.hincrby(name, f"{_DECLINED}{worker}", 1)
        pipe.hset(name, "reason", reason[:300])
        pipe.expire(name, _ATTEMPT_SECONDS)
        pipe.hgetall(name)
        fields: dict[Any, Any] = pipe.execute()[-1]
        found = {as_text(field): int(count) for field, count in fields.items() if as_text(field).startswith(_DECLINED)}
        return {field.removeprefix(_DECLINED): count for field, count in found.items()}

    def forget(self, task_id: str) -> None:
        """Drop the record of a task that has ended."""
        self._redis.delete(redis_keys.attempt(task_id))
