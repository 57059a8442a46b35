"""Dead letters and ended jobs in Redis, kept until they are handled or old."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest
from redis import Redis

from koebin.tasks.broker.unreadable_messages import count_unreadable, keep_unreadable
from koebin.tasks.jobs.ledger import ENDED_SECONDS, Ledger, LedgerChunk, State
from tests.servers.redis import RedisServer
from tests.servers.waiting import PATIENCE
from tests.servers.worker import ROOT, environment


@pytest.fixture
def redis(redis_server: RedisServer) -> Iterator[Redis]:
    with Redis.from_url(redis_server.url) as connected:
        yield connected


def koebin(server: RedisServer, *args: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-P", "-m", "koebin", *args]
    env = environment({"broker_url": server.url})
    return subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=PATIENCE)


def enter(ledger: Ledger, job: str) -> None:
    fields = {
        "store": "file:///out",
        "priority": 6,
        "engine_revision": "e",
        "chunks": 1,
        "segments": 1,
        "speakers": json.dumps({"mei": "ab12"}),
        "created": time.time(),
    }
    ledger.create(job, fields, [LedgerChunk(0, "mei", 1.0)])


def end(ledger: Ledger, job: str) -> None:
    enter(ledger, job)
    ledger.end(job, State.SUCCEEDED)


def test_the_list_of_ended_jobs_holds_those_that_redis_remembers(redis: Redis) -> None:
    ledger = Ledger(redis)
    now = time.time()
    redis.zadd("koebin:ended", {"gone": now - ENDED_SECONDS - 60, "still-there": now - ENDED_SECONDS + 60})
    end(ledger, "new")
    assert ledger.ended() == ["new", "still-there"]


def test_a_live_job_that_is_forgotten_meanwhile_is_left_out(redis: Redis) -> None:
    ledger = Ledger(redis)
    enter(ledger, "book")
    redis.zadd("koebin:jobs", {"forgotten": 1.0})
    assert [entry.job for entry in ledger.live_entries()] == ["book"]


def test_only_a_live_job_waits(redis: Redis) -> None:
    """A chunk may meet an outage after its job was cancelled, or after Redis forgot it."""
    ledger = Ledger(redis)
    end(ledger, "book")
    for job in ("book", "forgotten"):
        ledger.wait_for(job, "the store does not answer")
    assert redis.hget("koebin:job:book", "waiting") is None
    assert not redis.exists("koebin:job:forgotten")


@pytest.mark.slow
def test_what_was_seen_to_is_forgotten(redis: Redis, redis_server: RedisServer) -> None:
    ledger = Ledger(redis)
    for job in ("book", "book-2"):
        ledger.add_dead_letter(job, "ab" * 32, {"key": "ab" * 32, "job": job, "time": time.time()})
    keep_unreadable(redis, "nobody reads it", "?")
    assert koebin(redis_server, "dead", "forget", "book").returncode == 0
    assert [job for job, _, _ in ledger.all_dead_letters()] == ["book-2"]
    assert not ledger.dead_letters("book")
    assert count_unreadable(redis) == 1
    assert koebin(redis_server, "dead", "forget", "--messages").returncode == 0
    assert count_unreadable(redis) == 0
    for unclear in ((), ("book-2", "--messages")):
        refused = koebin(redis_server, "dead", "forget", *unclear)
        assert (refused.returncode, "Give a job, or --messages" in refused.stderr) == (2, True), refused
    assert ledger.count_dead_letters() == 1
