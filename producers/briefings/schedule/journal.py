"""Journal of due times (ticks) in Redis: a tick happens once, however many processes notice it.

```
koebin:briefing:seen             "<name> <schedule>" -> due times up to here were noticed         hash
koebin:briefing:open             ticks that have not ended                                        set
koebin:briefing:tick:<tick>      state, submission, edition, error                                hash
koebin:briefing:lease:<tick>     who works on it just now; expires within seconds                 string
koebin:briefing:last             name -> its last tick that ended                                 hash
```

A tick is ``<name>@<epoch seconds>``. Noticing it and moving ``seen`` on is one script, so a process may die anywhere:
what was noticed stays open until it has ended, and whoever gets its lease goes on where the last one stopped. Every
change of a tick compares the lease's owner first, so a process that slept through its lease changes nothing.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final

from redis import Redis

from koebin.producers.briefings.briefing_file import Briefing
from koebin.tasks import redis_keys
from koebin.tasks.connection import server_time

REMEMBERED_SECONDS: Final = 40 * 86400
"""Seconds that an ended tick is remembered: longer than any ``max_age``."""


class TickState(StrEnum):
    """State of a tick."""

    DUE = "DUE"
    RENDERED = "RENDERED"
    SUBMITTED = "SUBMITTED"
    PUBLISHED = "PUBLISHED"
    FAILED = "FAILED"

    @property
    def ended(self) -> bool:
        return self in (TickState.PUBLISHED, TickState.FAILED)


@dataclass(frozen=True, slots=True)
class Tick:
    """Tick as the journal knows it.

    Attributes:
        submission, edition, entry: JSON of the rendered job, of the edition to publish, and of its index entry; ""
            until then.
    """

    id: str
    state: TickState
    submission: str = ""
    edition: str = ""
    error: str = ""
    entry: str = ""
    attempts: int = 0

    @property
    def name(self) -> str:
        return self.id.partition("@")[0]

    @property
    def due(self) -> datetime:
        return datetime.fromtimestamp(int(self.id.partition("@")[2]), UTC)


_NOTICE: Final = """
local seen = redis.call('HGET', KEYS[1], ARGV[1]) or ''
if seen ~= ARGV[2] then return -1 end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
local noticed = 0
for i = 5, #ARGV do
  if redis.call('HSETNX', ARGV[4] .. ARGV[i], 'state', 'DUE') == 1 then
    redis.call('SADD', KEYS[2], ARGV[i])
    noticed = noticed + 1
  end
end
return noticed
"""

_ADD: Final = """
if redis.call('HSETNX', KEYS[1], 'state', 'DUE') == 0 then return 0 end
redis.call('SADD', KEYS[2], ARGV[1])
return 1
"""

_CHANGE: Final = """
if redis.call('GET', KEYS[2]) ~= ARGV[1] then return 0 end
for i = 2, #ARGV, 2 do redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1]) end
return 1
"""

_END: Final = """
if redis.call('GET', KEYS[2]) ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], 'state', ARGV[2], 'error', ARGV[3])
redis.call('HDEL', KEYS[1], 'submission')
redis.call('EXPIRE', KEYS[1], ARGV[4])
redis.call('SREM', KEYS[3], ARGV[5])
redis.call('HSET', KEYS[4], ARGV[6], ARGV[7])
redis.call('DEL', KEYS[2])
return 1
"""

_RENEW: Final = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])
"""


class LeaseGone(Exception):
    """Another process works on the tick now."""


class Journal:
    """Ticks in one Redis database. Every method may raise ``redis.RedisError``."""

    def __init__(self, client: Redis) -> None:
        self._redis = client
        self._notice = client.register_script(_NOTICE)
        self._add = client.register_script(_ADD)
        self._change = client.register_script(_CHANGE)
        self._end = client.register_script(_END)
        self._renew = client.register_script(_RENEW)

    def now(self) -> datetime:
        """Time by the server's clock: with local clocks a briefing would be due when the fastest says so."""
        return datetime.fromtimestamp(server_time(self._redis), UTC)

    def seen(self) -> dict[str, str]:
        """Schedule key to the time up to which its due times were noticed, as `koebin.producers.briefings.beat.Seen`
        writes it."""
        found: Any = self._redis.hgetall(redis_keys.BRIEFINGS + "seen")
        return {_text(name): _text(value) for name, value in found.items()}

    def notice(self, schedule: str, name: str, seen: str, now_seen: str, dues: Iterable[datetime]) -> int:
        """Open a tick for each new due time, and advance ``seen``, in one step.

        Args:
            seen: previous value of `seen`, "" if there was none.
            now_seen: its new value.

        Returns:
            Number of new ticks; -1: another process was faster, and nothing was changed.
        """
        ticks = [tick_id(name, due) for due in dues]
        keys = [redis_keys.BRIEFINGS + "seen", redis_keys.BRIEFINGS + "open"]
        arguments = [schedule, seen, now_seen, redis_keys.BRIEFINGS + "tick:", *ticks]
        return int(self._notice(keys=keys, args=arguments))

    def add(self, tick: str) -> bool:
        """Open one tick by hand. False: it is known already."""
        return bool(self._add(keys=[redis_keys.BRIEFINGS + "tick:" + tick, redis_keys.BRIEFINGS + "open"], args=[tick]))

    def open_ticks(self) -> list[str]:
        """Ticks that have not ended, oldest first."""
        found: Any = self._redis.smembers(redis_keys.BRIEFINGS + "open")
        return sorted(map(_text, found), key=lambda tick: int(tick.partition("@")[2]))

    def free_ticks(self) -> list[str]:
        """Ticks that have not ended and have no owner, oldest first."""
        ticks = self.open_ticks()
        owners: Any = self._redis.mget([_lease(tick) for tick in ticks]) if ticks else []
        return [tick for tick, owner in zip(ticks, owners, strict=True) if owner is None]

    def tick(self, tick: str) -> Tick | None:
        """State of a tick."""
        found: Any = self._redis.hgetall(redis_keys.BRIEFINGS + "tick:" + tick)
        if not found:
            return None
        fields = {_text(name): _text(value) for name, value in found.items()}
        return Tick(
            tick,
            TickState(fields["state"]),
            fields.get("submission", ""),
            fields.get("edition", ""),
            fields.get("error", ""),
            fields.get("entry", ""),
            int(fields.get("attempts", 0)),
        )

    def last(self) -> dict[str, dict[str, Any]]:
        """Name to its last ended tick: ``{"due", "state", "error"}``."""
        found: Any = self._redis.hgetall(redis_keys.BRIEFINGS + "last")
        return {_text(name): json.loads(text) for name, text in found.items()}

    def claim(self, subject: str, seconds: float) -> str:
        """Become the owner of a tick (or of any other named subject); "" if it has one."""
        owner = secrets.token_hex(16)
        taken = self._redis.set(_lease(subject), owner, nx=True, px=max(1, int(seconds * 1000)))
        return owner if taken else ""

    def renew(self, subject: str, owner: str, seconds: float) -> bool:
        """Stay the owner for another ``seconds``. False: not the owner any more."""
        return bool(self._renew(keys=[_lease(subject)], args=[owner, max(1, int(seconds * 1000))]))

    def change(self, tick: str, owner: str, fields: Mapping[str, str]) -> None:
        """Set fields of a tick.

        Raises:
            LeaseGone: not the owner any more; nothing was changed.
        """
        pairs = [text for pair in fields.items() for text in pair]
        if not self._change(keys=[redis_keys.BRIEFINGS + "tick:" + tick, _lease(tick)], args=[owner, *pairs]):
            raise LeaseGone(tick)

    def end(self, tick: Tick, owner: str, state: TickState, error: str = "") -> None:
        """End a tick: it is closed, remembered, and its lease is released.

        Raises:
            LeaseGone: not the owner any more; nothing was changed.
        """
        last = json.dumps({"due": tick.due.isoformat(), "state": state, "error": error}, ensure_ascii=False)
        keys = [
            redis_keys.BRIEFINGS + "tick:" + tick.id,
            _lease(tick.id),
            redis_keys.BRIEFINGS + "open",
            redis_keys.BRIEFINGS + "last",
        ]
        if not self._end(keys=keys, args=[owner, state, error, REMEMBERED_SECONDS, tick.id, tick.name, last]):
            raise LeaseGone(tick.id)


def tick_id(name: str, due: datetime) -> str:
    """``morning@1795561200``."""
    return f"{name}@{int(due.timestamp())}"


def schedule_key(briefing: Briefing) -> str:
    """Key of name and schedule: an edited schedule starts anew, and due times missed before the edit are not caught
    up."""
    when = briefing.when
    schedule = json.dumps([when.crontab, when.time_zone, when.holidays, [day.isoformat() for day in when.closed]])
    return f"{briefing.name} {hashlib.sha256(schedule.encode()).hexdigest()[:16]}"


def _text(value: str | bytes) -> str:
    """Answer of a client as text, whether it decodes or not."""
    return value.decode() if isinstance(value, bytes) else value


def _lease(subject: str) -> str:
    return f"{redis_keys.BRIEFINGS}lease:{subject}"
