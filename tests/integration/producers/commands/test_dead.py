"""Dead letters and unreadable messages that a command forgets."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator

import pytest
from redis import Redis

from koebin.tasks.broker.unreadable_messages import count_unreadable, keep_unreadable
from koebin.tasks.jobs.dead_letters import DeadLetters
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


@pytest.mark.slow
def test_what_was_seen_to_is_forgotten(redis: Redis, redis_server: RedisServer) -> None:
    letters = DeadLetters(redis)
    for job in ("book", "book-2"):
        letters.add(job, "ab" * 32, {"key": "ab" * 32, "job": job, "time": time.time()})
    keep_unreadable(redis, "nobody reads it", "?")
    assert koebin(redis_server, "dead", "forget", "book").returncode == 0
    assert [job for job, _, _ in letters.all()] == ["book-2"]
    assert count_unreadable(redis) == 1
    assert koebin(redis_server, "dead", "forget", "--messages").returncode == 0
    assert count_unreadable(redis) == 0
    for unclear in ((), ("book-2", "--messages")):
        refused = koebin(redis_server, "dead", "forget", *unclear)
        assert (refused.returncode, "Give a job, or --messages" in refused.stderr) == (2, True), refused
    assert letters.count() == 1
