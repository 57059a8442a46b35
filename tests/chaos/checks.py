"""Checks after a run, and the results of an undisturbed one."""

from __future__ import annotations

import contextlib
import hashlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from redis import Redis
from redis.exceptions import RedisError

from koebin.tasks.broker.delayed_messages import delayed_ids
from koebin.tasks.jobs.ledger import State
from koebin.tasks.jobs.outcome import JobOutcome
from koebin.tasks.stores.base import Store
from tests.chaos.arena import Arena

_LEFT: Final = (
    "koebin:lease:*",
    "koebin:attempt:*",
    "koebin:submitting:*",
    "koebin:delayed",
    "koebin:dead",
    "koebin:parked",
    "koebin.unacked",
    "koebin.unacked_index",
    "speaker.*",
    "assemble*",
)


@dataclass(frozen=True, slots=True)
class Undisturbed:
    """SHA-256 of everything that a job makes when nothing happens, by name."""

    outputs: dict[str, str]
    segments: dict[str, str]


def fingerprint(store: Store, job: str) -> Undisturbed:
    """Of what stands in the store; segments with their marks."""
    prefix = f"jobs/{job}/out/"
    outputs = {key.removeprefix(prefix): _sha(store, key) for key in store.list(prefix)}
    return Undisturbed(outputs, {key: _sha(store, key) for key in store.list("segments/")})


def _sha(store: Store, key: str) -> str:
    return hashlib.sha256(store.get(key)).hexdigest()


def check_outputs(store: Store, job: str, outcome: JobOutcome, wanted: Undisturbed) -> Iterator[str]:
    """What is wrong with the job's end and its files."""
    if outcome.state is not State.SUCCEEDED:
        yield f"the job ended {outcome.state}: {outcome.error}"
        return
    found = fingerprint(store, job)
    for what, have, want in (
        ("output", found.outputs, wanted.outputs),
        ("segment", found.segments, wanted.segments),
    ):
        yield from (f"{what} {name} is missing" for name in want.keys() - have.keys())
        yield from (f"{what} {name} is too many" for name in have.keys() - want.keys())
        yield from (f"{what} {name} has other bytes" for name in want.keys() & have.keys() if want[name] != have[name])
    if outcome.result is None or outcome.result.sha256 not in wanted.outputs.values():
        yield "the result's SHA-256 is none of the undisturbed files'"
    store.sweep_temporary(0)
    yield from (f"{left} temporary objects cannot be removed" for left in [store.sweep_temporary(0)] if left)


def check_nothing_left(arena: Arena, seconds: float) -> Iterator[str]:
    """What is still in Redis or among the processes after ``seconds``."""
    left = _until_empty(lambda: _leftovers(arena.redis), seconds)
    yield from (f"left in Redis: {name}" for name in left)
    orphans = _until_empty(lambda: [f"{p.pid} {' '.join(_command(p))[:60]}" for p in arena.orphans()], seconds)
    yield from (f"process without a parent: {name}" for name in orphans)


def _command(process: Any) -> list[str]:
    with contextlib.suppress(Exception):
        return list(process.cmdline())
    return []


def _until_empty(look: Callable[[], list[str]], seconds: float) -> list[str]:
    deadline = time.monotonic() + seconds
    while True:
        try:
            found = look()
        except RedisError as error:
            found = [str(error)]
        if not found or time.monotonic() >= deadline:
            return found
        time.sleep(0.1)


def _leftovers(redis: Redis) -> list[str]:
    found: list[str] = [key.decode() for pattern in _LEFT for key in redis.scan_iter(pattern, count=1000)]
    live: Any = redis.zrange("koebin:jobs", 0, -1)
    found += [f"live job {job.decode()}" for job in live]
    return found + [f"delayed: {task}" for task in delayed_ids(redis)]
