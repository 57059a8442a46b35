"""Workers whose clocks are minutes off: they take nothing from the others, and what they lose is found in time."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator

import pytest
from redis import Redis

from producers.client import Client
from tasks.connection import server_time
from tasks.delayed import Message, put_off, put_off_ids, send_due
from tasks.leases import UNACKED_INDEX
from tasks.ledger import WEBHOOKS, Ledger, LedgerChunk, State
from tasks.webhooks import Webhooks
from tests.chaos.arena import Supervised
from tests.servers.redis import RedisServer
from tests.servers.worker import wait_until
from worker.settings import Settings

pytestmark = [pytest.mark.xdist_group("clocks"), pytest.mark.timeout(240)]

TIMEOUT = 4.0
MINUTES = 120.0
SEGMENTS = 16
TEXT = "".join(f"{number}番。" for number in range(1, SEGMENTS + 1))


@pytest.fixture
def client(redis_server: RedisServer, store: str) -> Iterator[Client]:
    settings = Settings(broker_url=redis_server.url, store=store, visibility_timeout=TIMEOUT)
    with Client(settings=settings) as connected:
        yield connected


def worker_with_clock(server: RedisServer, store: str, ahead: float) -> Supervised:
    settings = {"visibility_timeout": TIMEOUT, "sweep_interval": 0.5}
    variables = {"CHAOS_CLOCK_SECONDS": str(ahead), "CHAOS_SLOW_SECONDS": "0.8"}
    return Supervised(server.url, store, settings=settings, variables=variables)


@pytest.mark.slow
@pytest.mark.parametrize(("first_ahead", "second_ahead"), [(0.0, MINUTES), (-MINUTES, 0.0), (MINUTES, -MINUTES)])
def test_what_runs_is_left_where_it_runs(
    redis_server: RedisServer, client: Client, store: str, first_ahead: float, second_ahead: float
) -> None:
    """Its message is not put back either: before, it went round and round between the queue and the other worker."""
    with worker_with_clock(redis_server, store, first_ahead) as first:
        job = client.submit(TEXT, wait_seconds=30)
        wait_until(lambda: "made" in first.text(), 30)
        with worker_with_clock(redis_server, store, second_ahead) as second:
            assert client.wait(job, 60).state is State.SUCCEEDED
            assert first.text().count("made") == SEGMENTS
            assert "made" not in second.text()
            assert "set aside" not in first.text() + second.text()


@pytest.mark.slow
@pytest.mark.parametrize("ahead", [MINUTES, -MINUTES])
def test_what_a_killed_worker_had_is_taken_over_in_time(
    redis_server: RedisServer, redis: Redis, client: Client, store: str, ahead: float
) -> None:
    with worker_with_clock(redis_server, store, ahead) as lost, worker_with_clock(redis_server, store, 0.0) as heir:
        heir.signal_all(signal.SIGSTOP)
        job = client.submit(TEXT, wait_seconds=30)
        wait_until(lambda: redis.zcard(UNACKED_INDEX) > 0, 30)
        ((_, taken),) = redis.zrange(UNACKED_INDEX, 0, -1, withscores=True)
        lost.signal_all(signal.SIGKILL)
        killed = time.monotonic()
        assert abs(taken - server_time(redis)) < TIMEOUT
        heir.signal_all(signal.SIGCONT)
        wait_until(lambda: "made" in heir.text(), 3 * TIMEOUT + 5)
        assert time.monotonic() - killed < 3 * TIMEOUT
        assert client.wait(job, 60).state is State.SUCCEEDED


@pytest.mark.parametrize("ahead", [MINUTES, -MINUTES])
def test_what_is_put_off_waits_by_the_servers_clock(
    redis: Redis, monkeypatch: pytest.MonkeyPatch, ahead: float
) -> None:
    true = time.time
    monkeypatch.setattr(time, "time", lambda: true() + ahead)
    put_off(redis, Message("koebin.assemble", "j/assemble", {}, "assemble", 6), 1.0)
    monkeypatch.undo()
    sent: list[Message] = []
    assert send_due(redis, sent.append) == 0
    assert put_off_ids(redis) == {"j/assemble"}
    wait_until(lambda: send_due(redis, sent.append) == 1, 5)
    assert [message.task_id for message in sent] == ["j/assemble"]


@pytest.mark.parametrize("ahead", [MINUTES, -MINUTES])
def test_an_end_is_told_at_once_and_a_claim_holds(redis: Redis, monkeypatch: pytest.MonkeyPatch, ahead: float) -> None:
    true = time.time
    monkeypatch.setattr(time, "time", lambda: true() + ahead)
    ledger = Ledger(redis)
    fields = {"store": "file:///s", "created": 0, "priority": 6, "chunks": 1, "segments": 1, "webhook": "https://h/"}
    ledger.create("j", fields | {"speakers": "{}", "engine_revision": "e"}, [LedgerChunk(0, "mei", 1.0)])
    ledger.end("j", State.FAILED)
    monkeypatch.undo()
    assert Webhooks(redis).claim() == ["j"]
    monkeypatch.setattr(time, "time", lambda: true() - ahead)
    assert Webhooks(redis).claim() == []
    assert redis.zcard(WEBHOOKS) == 1
