"""Dead letters: segments that cannot be spoken, each with its evidence, and their redrive.

``koebin:dead`` holds those of all jobs until they are handled; ``koebin:job:<id>:dead`` goes with its job.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from redis import Redis

from koebin.engine.bounded_json import loads
from koebin.engine.errors import JobCancelled, KoebinError
from koebin.tasks import redis_keys, store_keys
from koebin.tasks.broker.delayed_messages import Send
from koebin.tasks.broker.leases import Leases
from koebin.tasks.connection import as_text
from koebin.tasks.contracts import Manifest
from koebin.tasks.jobs.ledger import Ledger, State
from koebin.tasks.jobs.outcome import JobOutcome
from koebin.tasks.jobs.recovery import enter
from koebin.tasks.stores.base import Store


class DeadLetters:
    """Dead letters in one Redis database."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    def add(self, job: str, segment: str, evidence: Mapping[str, Any]) -> None:
        """Add a segment that cannot be spoken, by its key, with the evidence."""
        document = json.dumps(dict(evidence), ensure_ascii=False)
        self._redis.hset(f"{redis_keys.job(job)}:dead", segment, document)
        self._redis.hset(redis_keys.DEAD_LETTERS, f"{job} {segment}", document)

    def count(self) -> int:
        """Number of dead letters of all jobs."""
        return int(self._redis.hlen(redis_keys.DEAD_LETTERS))

    def all(self) -> Iterator[tuple[str, str, dict[str, Any]]]:
        """Dead letters of all jobs: job, segment key, evidence."""
        for name, value in self._redis.hscan_iter(redis_keys.DEAD_LETTERS):
            job, _, segment = as_text(name).partition(" ")
            if (evidence := _evidence(value)) is not None:
                yield job, segment, evidence

    def of(self, job: str) -> dict[str, dict[str, Any]]:
        """Dead letters of a job: segment key -> evidence."""
        return {segment: evidence for owner, segment, evidence in self.all() if owner == job}

    def remove(self, job: str) -> int:
        """Remove the dead letters of a job; returns how many there were."""
        segments = list(self.of(job))
        if segments:
            self._redis.hdel(f"{redis_keys.job(job)}:dead", *segments)
            self._redis.hdel(redis_keys.DEAD_LETTERS, *[f"{job} {segment}" for segment in segments])
        return len(segments)


def redrive(
    redis: Redis, store: Store, send: Send, leases: Leases, manifest: Manifest, outcome: JobOutcome | None
) -> int:
    """Retry a failed job, or the dead segments of a partial one.

    Args:
        outcome: how the job ended; None while it runs.

    Returns:
        Number of dead segments to be retried, 1 for a job that failed without any, 0 if there is nothing to retry.

    Raises:
        JobCancelled: it was cancelled, which is final; its dead letters stay.
    """
    job = manifest.job
    if outcome is not None and outcome.state is State.CANCELLED:
        again = "Submit it under another id: stored segments are reused"
        raise JobCancelled("the job was cancelled", job, again)
    dead_letters = DeadLetters(redis)
    letters = dead_letters.of(job)
    if not letters and (outcome is None or outcome.state is not State.FAILED):
        return 0
    for chunk in {evidence["chunk"] for evidence in letters.values()}:
        store.delete(store_keys.done(job, chunk))
    for chunk in range(manifest.chunks):
        leases.forget(redis_keys.chunk_task(job, chunk))
    leases.forget(redis_keys.assemble_task(job))
    store.delete(store_keys.result(job))
    dead_letters.remove(job)
    Ledger(redis).forget(job)
    enter(redis, store, send, manifest)
    return len(letters) or 1


def _evidence(raw: Any) -> dict[str, Any] | None:
    """None for a row that no version of ours has written."""
    try:
        found = loads(as_text(raw))
    except KoebinError:
        return None
    return found if isinstance(found, dict) else None
