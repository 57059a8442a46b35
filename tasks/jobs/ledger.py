"""Ledger of jobs in Redis: planned, open and done chunks; the store is the durable truth and rebuilds it.

Keys, all below ``koebin:job:<id>``:

```
(the hash itself)   state, totals, counts, what every chunk of the job has in common
:planned:<speaker>  chunks not yet dispatched             sorted set by number
:open:<speaker>     dispatched and not done               sorted set by time of dispatch
:done               done                                  set
:chunks             number -> "speaker seconds"           hash
:dead               segment key -> evidence               hash (``koebin.tasks.jobs.dead_letters``)
:events             what happened                         stream, the last thousand
```

``koebin:jobs`` holds the live jobs by time of creation, ``koebin:ended`` the ended ones by time of end, and
``koebin:webhooks`` those of them whose webhook is to be told (``koebin.tasks.jobs.webhooks``). Every change is one
script, so that a process may die between any two of them.
"""

from __future__ import annotations

import json
import logging
import secrets
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice
from typing import Any, Final, TypeVar

from redis import Redis
from redis.exceptions import ResponseError

from koebin.engine.errors import JobNotFound, JobUnreadable
from koebin.tasks import redis_keys
from koebin.tasks.connection import as_text
from koebin.tasks.jobs import ledger_scripts as scripts

log = logging.getLogger(__name__)

T = TypeVar("T")

ENDED_SECONDS: Final = 7 * 24 * 3600
"""Seconds that Redis remembers an ended job; the store remembers longer."""


class State(StrEnum):
    """State of a job."""

    RUNNING = "RUNNING"
    ASSEMBLING = "ASSEMBLING"
    SUCCEEDED = "SUCCEEDED"
    PARTIAL = "PARTIAL"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"
    UNKNOWN = "UNKNOWN"
    """One of another version, which looks after the job itself: it is shown, and otherwise left alone."""

    @classmethod
    def _missing_(cls, value: object) -> State | None:
        return cls.UNKNOWN if isinstance(value, str) else None

    @property
    def ended(self) -> bool:
        return self not in (State.RUNNING, State.ASSEMBLING, State.UNKNOWN)


@dataclass(frozen=True, slots=True)
class LedgerChunk:
    """Chunk as the ledger knows it."""

    number: int
    speaker: str
    seconds: float


@dataclass(frozen=True, slots=True)
class JobEntry:
    """Entry of a job in the ledger; counts are of chunks unless stated otherwise."""

    job: str
    state: State
    store: str
    created: float
    updated: float
    priority: int
    chunks: int
    done: int
    segments: int
    reused: int
    rendered: int
    characters: int
    seconds: float
    seconds_done: float
    wall_seconds: float
    speakers: dict[str, str]
    engine_revision: str
    dictionary_revision: str
    title: str
    error: str
    waiting: str
    webhook: str = ""
    webhook_state: str = ""
    trace: str = ""


_EXACT_CHUNKS: Final = 500
_SLICE_CHUNKS: Final = 200
"""Chunks of one script; it takes the server a millisecond or two."""
_SLICE_SECONDS: Final = 24 * 3600
_CREATING_SECONDS: Final = 30
_CREATING_PAUSE: Final = 0.05
_PAGE: Final = 200
_PAGE_LISTED: Final = 1000


class Ledger:
    """Ledger in one Redis database."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._begin = redis.register_script(scripts.BEGIN)
        self._in_state = redis.register_script(scripts.IN_STATE)
        self._slice = redis.register_script(scripts.SLICE)
        self._create = redis.register_script(scripts.CREATE)
        self._remaining = redis.register_script(scripts.REMAINING)
        self._take = redis.register_script(scripts.MOVE_TO_OPEN)
        self._tick = redis.register_script(scripts.MARK_DONE)
        self._return = redis.register_script(scripts.RETURN)
        self._wait = redis.register_script(scripts.WAIT)
        self._end = redis.register_script(scripts.END)

    def create(
        self, job: str, fields: Mapping[str, Any], chunks: Sequence[LedgerChunk], done: Sequence[int] = ()
    ) -> bool:
        """Enter a job, all its chunks planned but those already done; False if the ledger has it.

        A job of many chunks is written in slices, so that no command holds the server for long; it is there with the
        last one. Two processes that enter the same job write the same, and one of them enters it.
        """
        known = json.dumps({"state": State.RUNNING, "updated": time.time(), **fields})
        finished = set(done)
        rows = [[c.number, c.speaker, f"{c.seconds:.3f}", int(c.number in finished)] for c in chunks]
        suffixes = [":chunks", ":done", *(f":planned:{name}" for name in sorted({c.speaker for c in chunks}))]
        keys = [redis_keys.job(job), redis_keys.creating(job)]
        while True:
            token = secrets.token_hex(8)
            began = self._begin(keys=keys, args=[token, _CREATING_SECONDS, *suffixes])
            if began == scripts.KNOWN:
                return False
            if began == scripts.BEGUN and all(
                self._slice(keys=keys, args=[json.dumps(page), _SLICE_SECONDS, token])
                for page in batched(rows, _SLICE_CHUNKS)
            ):
                entered = self._create(keys=[*keys, redis_keys.JOBS], args=[known, json.dumps(suffixes), job, token])
                if entered:
                    return True
            time.sleep(_CREATING_PAUSE)  # another process is at it, or this one was too slow

    def move_to_open(self, job: str, speaker: str, window: int) -> list[int]:
        """Move planned chunks of a speaker to open until there are ``window``; returns their numbers."""
        return [int(n) for n in self._take(keys=[redis_keys.job(job)], args=[speaker, window, time.time()])]

    def mark_done(
        self,
        job: str,
        chunk: int,
        speaker: str,
        *,
        reused: int = 0,
        rendered: int = 0,
        seconds: float = 0.0,
        wall_seconds: float = 0.0,
    ) -> str:
        """Mark a chunk done. Idempotent.

        Returns:
            ``ASSEMBLE`` exactly once, for the chunk that completes the job, else the job's state, "" if unknown.
        """
        args: list[Any] = [chunk, speaker, reused, rendered, seconds, wall_seconds, time.time()]
        return as_text(self._tick(keys=[redis_keys.job(job)], args=args))

    def give_back(self, job: str, chunk: int, speaker: str, waiting: str = "") -> None:
        """Move an open chunk back to planned; ``waiting`` is what it needs."""
        self._return(keys=[redis_keys.job(job)], args=[chunk, speaker, waiting])

    def wait_for(self, job: str, reason: str) -> None:
        """Note what a live job waits for; the next dispatch clears it."""
        self._wait(keys=[redis_keys.job(job)], args=[reason[:500]])

    def end(self, job: str, state: State, error: str = "") -> str:
        """End a live job. Returns its present state, "" if unknown."""
        speakers = self.speakers(job)
        suffixes = [f":{kind}:{speaker}" for kind in ("planned", "open") for speaker in speakers]
        args: list[Any] = [state, error[:2000], time.time(), job, ENDED_SECONDS, json.dumps(suffixes)]
        return as_text(
            self._end(keys=[redis_keys.job(job), redis_keys.JOBS, redis_keys.ENDED, redis_keys.WEBHOOKS], args=args)
        )

    def forget(self, job: str) -> None:
        """Drop everything about a job, so that it can be entered again from the store."""
        names = [f":{kind}:{speaker}" for kind in ("planned", "open") for speaker in self.speakers(job)]
        self._redis.unlink(
            *[redis_keys.job(job) + name for name in ["", ":done", ":chunks", ":dead", ":events", *names]]
        )
        self._redis.zrem(redis_keys.JOBS, job)
        self._redis.zrem(redis_keys.ENDED, job)

    def state(self, job: str) -> State | None:
        """State of a job, None if the ledger does not know it."""
        state: Any = self._redis.hget(redis_keys.job(job), "state")
        return State(as_text(state)) if state else None

    def trace(self, job: str) -> str:
        """``traceparent`` that a job was submitted with, "" without one."""
        return as_text(self._redis.hget(redis_keys.job(job), "trace") or "")

    def seconds(self, job: str) -> float:
        """Predicted seconds of a job's audio, 0 if the ledger does not know it."""
        value: Any = self._redis.hget(redis_keys.job(job), "seconds")
        return float(value or 0.0)

    def entry(self, job: str) -> JobEntry:
        """Entry of a job. Raises: JobNotFound."""
        return _entry(job, self._redis.hgetall(redis_keys.job(job)))

    def planned(self, job: str, chunk: int) -> tuple[JobEntry, str]:
        """Entry of a job and the speaker of its chunk ("" if it has no such chunk), in one query. Raises:
        JobNotFound."""
        pipe = self._redis.pipeline(transaction=False)
        pipe.hgetall(redis_keys.job(job))
        pipe.hget(f"{redis_keys.job(job)}:chunks", str(chunk))
        raw, value = pipe.execute()
        return _entry(job, raw), _speaker(value)

    def speakers(self, job: str) -> list[str]:
        """Names of a job's speakers."""
        raw: Any = self._redis.hget(redis_keys.job(job), "speakers")
        return list(json.loads(raw)) if raw else []

    def live(self) -> list[str]:
        """Jobs that have not ended, oldest first."""
        jobs: Any = self._redis.zrange(redis_keys.JOBS, 0, -1)
        return [as_text(job) for job in jobs]

    def live_entries(self) -> list[JobEntry]:
        """Entries of the jobs that have not ended, oldest first; jobs forgotten meanwhile are left out."""
        entries = []
        for entry in self.entries(self.live()):
            if entry.state is State.UNKNOWN:
                _tell_once(entry.job, "its state is one of another version")
            else:
                entries.append(entry)
        return entries

    def entries(self, jobs: Iterable[str]) -> Iterator[JobEntry]:
        """Entries of jobs, in their order, read in pages; those that are gone or cannot be read are left out."""
        for page in batched(jobs, _PAGE):
            pipe = self._redis.pipeline(transaction=False)
            for job in page:
                pipe.hgetall(redis_keys.job(job))
            for job, raw in zip(page, pipe.execute(raise_on_error=False), strict=True):
                if isinstance(raw, ResponseError):  # a stranger's key of that name
                    _tell_once(job, str(raw))
                    continue
                if isinstance(raw, Exception):
                    raise raw
                try:
                    yield _entry(job, raw)
                except JobNotFound:
                    continue
                except JobUnreadable as error:
                    _tell_once(job, str(error))

    def ended(self) -> list[str]:
        """Jobs that ended, latest first."""
        jobs: Any = self._redis.zrevrange(redis_keys.ENDED, 0, -1)
        return [as_text(job) for job in jobs]

    def listed(self, state: State | None = None) -> Iterator[str]:
        """Ids of the live jobs, oldest first, then of the ended ones, the last first; read in pages."""
        if state is None or not state.ended:
            yield from self._listed(redis_keys.JOBS, state, "ZRANGE")
        if state is None or state.ended:
            yield from self._listed(redis_keys.ENDED, state, "ZREVRANGE")

    def _listed(self, key: str, state: State | None, command: str) -> Iterator[str]:
        start, total = 0, int(self._redis.zcard(key))
        while start < total:
            args: list[Any] = [command, start, start + _PAGE_LISTED - 1, state or ""]
            yield from (as_text(job) for job in self._in_state(keys=[key], args=args))
            start += _PAGE_LISTED

    def open(self, job: str, speaker: str) -> list[tuple[int, float]]:
        """Dispatched chunks with the time of dispatch."""
        rows: Any = self._redis.zrange(f"{redis_keys.job(job)}:open:{speaker}", 0, -1, withscores=True)
        return [(int(number), score) for number, score in rows]

    def is_open(self, job: str, speaker: str, chunk: int) -> bool:
        """Whether a chunk is dispatched and not done."""
        return self._redis.zscore(f"{redis_keys.job(job)}:open:{speaker}", str(chunk)) is not None

    def touch(self, job: str, speaker: str, chunk: int) -> None:
        """Note that an open chunk was dispatched again now."""
        self._redis.zadd(f"{redis_keys.job(job)}:open:{speaker}", {str(chunk): time.time()}, xx=True)

    def remaining_seconds(self, entry: JobEntry) -> float:
        """Predicted seconds of audio that are not done, of one job; one short command however many chunks it has."""
        answer = self._remaining(keys=[redis_keys.job(entry.job)], args=[_EXACT_CHUNKS, *entry.speakers])
        return float(as_text(answer))

    def events_of(self, after: Mapping[str, str]) -> dict[str, list[str]]:
        """Ids of what happened to several jobs, each after the event that is named; does not wait."""
        if not after:
            return {}
        names = {f"{redis_keys.job(job)}:events": job for job in after}
        streams: Any = self._redis.xread({name: after[job] for name, job in names.items()}, count=100)
        return {names[as_text(name)]: [as_text(event) for event, _ in events] for name, events in streams or []}

    def events(self, job: str, after: str = "0", block_ms: int | None = None) -> list[tuple[str, dict[str, str]]]:
        """Events of a job after the event with id ``after``; waits up to ``block_ms`` for the next."""
        streams: Any = self._redis.xread({f"{redis_keys.job(job)}:events": after}, count=100, block=block_ms)
        return [
            (as_text(event), {as_text(name): as_text(value) for name, value in fields.items()})
            for _, events in streams or []
            for event, fields in events
        ]


def batched(items: Iterable[T], size: int) -> Iterator[tuple[T, ...]]:
    """Tuples of ``size`` items, the last one shorter; as in Python 3.12."""
    rest = iter(items)
    while page := tuple(islice(rest, size)):
        yield page


_told: set[str] = set()
_MOST_TOLD: Final = 1000


def _tell_once(job: str, reason: str) -> None:
    """A job that is left alone is told of once by each process, not at every look."""
    if job not in _told and len(_told) < _MOST_TOLD:
        _told.add(job)
        log.error("a job is left alone: %s", reason, extra={"job": job})


def _entry(job: str, raw: Any) -> JobEntry:
    """Raises: JobNotFound, JobUnreadable."""
    if not raw:
        raise JobNotFound("no such job in Redis", job)
    fields = {as_text(name): as_text(value) for name, value in raw.items()}
    try:
        return _read_entry(job, fields)
    except (LookupError, ValueError, TypeError, OverflowError, RecursionError) as error:
        reason = f"{type(error).__name__}: {error}"[:100]
        raise JobUnreadable("the entry of a job in Redis cannot be read", job, reason) from error


def _read_entry(job: str, f: Mapping[str, str]) -> JobEntry:
    return JobEntry(
        job=job,
        state=State(f["state"]),
        store=f["store"],
        created=float(f["created"]),
        updated=float(f["updated"]),
        priority=int(f["priority"]),
        chunks=int(f["chunks"]),
        done=int(f["done"]),
        segments=int(f["segments"]),
        reused=int(f.get("reused", 0)),
        rendered=int(f.get("rendered", 0)),
        characters=int(f.get("characters", 0)),
        seconds=float(f.get("seconds", 0)),
        seconds_done=float(f.get("seconds_done", 0)),
        wall_seconds=float(f.get("wall_seconds", 0)),
        speakers=json.loads(f["speakers"]),
        engine_revision=f["engine_revision"],
        dictionary_revision=f.get("dictionary_revision", ""),
        title=f.get("title", ""),
        error=f.get("error", ""),
        waiting=f.get("waiting", ""),
        webhook=f.get("webhook", ""),
        webhook_state=f.get("webhook_state", ""),
        trace=f.get("trace", ""),
    )


def _speaker(value: Any) -> str:
    """Speaker in a row of ``:chunks``."""
    return as_text(value).rpartition(" ")[0] if value else ""
