"""Dead letters in Redis, and a redrive of what they name."""

from __future__ import annotations

import json

from redis import Redis

from koebin import JobOptions, Passage, Script
from koebin.tasks import redis_keys, store_keys
from koebin.tasks.broker.leases import Leases
from koebin.tasks.jobs.dead_letters import DeadLetters, redrive
from koebin.tasks.jobs.ledger import Ledger, State
from koebin.tasks.jobs.outcome import JobOutcome, store_outcome
from koebin.tasks.jobs.submission import submit
from koebin.tasks.stores.uri import open_store
from tests.integration.toy_voice import TARGET

SCRIPT = Script([Passage("これは少し長い文です。" * 60, "mei")])
KEY = "ab" * 32


def test_they_belong_to_a_job_and_a_row_of_nobody_hides_none(redis: Redis) -> None:
    letters = DeadLetters(redis)
    for job in ("book", "book-2"):
        letters.add(job, KEY, {"key": KEY, "job": job})
    redis.hset(redis_keys.DEAD_LETTERS, "book other", "no JSON")
    assert letters.of("book") == {KEY: {"key": KEY, "job": "book"}}
    assert letters.count() == 3
    assert letters.remove("book") == 1
    assert [(job, segment) for job, segment, _ in letters.all()] == [("book-2", KEY)]


def test_a_redrive_makes_anew_the_chunks_of_dead_segments_alone(redis: Redis, store: str) -> None:
    at, leases = open_store(store), Leases(redis, 30)
    manifest = submit(redis, at, lambda _: None, "book", SCRIPT, JobOptions(), {"mei": TARGET})
    for chunk in range(manifest.chunks):
        at.put(store_keys.done("book", chunk), json.dumps({"chunk": chunk}).encode())
    DeadLetters(redis).add("book", KEY, {"key": KEY, "job": "book", "chunk": 1})
    outcome = store_outcome(at, JobOutcome(job="book", state=State.PARTIAL))
    Ledger(redis).end("book", State.PARTIAL)
    assert redrive(redis, at, lambda _: None, leases, manifest, outcome) == 1
    entry = Ledger(redis).entry("book")
    assert (entry.state, entry.done) == (State.RUNNING, manifest.chunks - 1)
    assert not at.exists(store_keys.result("book"))
    assert redrive(redis, at, lambda _: None, leases, manifest, None) == 0
