"""Workers whose clocks are minutes off: they take nothing from the others, and what they lose is found in time."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from datetime import datetime, timedelta, tzinfo
from pathlib import Path
from typing import NoReturn, Self

import pytest
from redis import Redis

from koebin.producers.briefings import beat as schedule
from koebin.producers.briefings.schedule.catch_up import Seen
from koebin.producers.briefings.schedule.journal import Journal
from koebin.producers.client import Client
from koebin.tasks import redis_keys
from koebin.tasks.broker.delayed_messages import Message, delay_message, delayed_ids, send_due
from koebin.tasks.connection import server_time
from koebin.tasks.jobs.ledger import Ledger, LedgerChunk, State
from koebin.tasks.jobs.webhooks import Webhooks
from koebin.tasks.settings import Settings
from tests.chaos.arena import Supervised
from tests.servers.redis import RedisServer
from tests.servers.waiting import PATIENCE, wait_until

pytestmark = [pytest.mark.xdist_group("clocks")]

TIMEOUT = 4.0
MINUTES = 2 * PATIENCE
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
        wait_until(lambda: "made" in first.text())
        with worker_with_clock(redis_server, store, second_ahead) as second:
            assert client.wait(job, PATIENCE).state is State.SUCCEEDED
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
        wait_until(lambda: redis.zcard(redis_keys.UNACKED_INDEX) > 0)
        ((_, taken),) = redis.zrange(redis_keys.UNACKED_INDEX, 0, -1, withscores=True)
        lost.signal_all(signal.SIGKILL)
        assert abs(taken - server_time(redis)) < MINUTES / 2
        heir.signal_all(signal.SIGCONT)
        wait_until(lambda: "made" in heir.text())  # by the wrong clock it would last longer than that
        assert client.wait(job, PATIENCE).state is State.SUCCEEDED


@pytest.mark.slow
@pytest.mark.parametrize("ahead", [MINUTES, -MINUTES])
def test_a_clock_that_is_set_while_a_task_runs_stops_nothing(
    redis_server: RedisServer, client: Client, store: str, tmp_path: Path, ahead: float
) -> None:
    """Neither does the task outlive its time limit by it: before, the worker ended itself."""
    corrected = tmp_path / "corrected"
    settings = {"visibility_timeout": TIMEOUT, "sweep_interval": 0.5, "time_limit": MINUTES / 2}
    variables = {"CHAOS_CLOCK_SECONDS": str(ahead), "CHAOS_CLOCK_JUMPS": str(corrected), "CHAOS_SLOW_SECONDS": "0.8"}
    with Supervised(redis_server.url, store, settings=settings, variables=variables) as worker:
        job = client.submit(TEXT, wait_seconds=30)
        wait_until(lambda: "made" in worker.text())
        corrected.touch()
        assert client.wait(job, PATIENCE).state is State.SUCCEEDED
        assert worker.process.poll() is None
        assert worker.text().count("made") == SEGMENTS


@pytest.mark.parametrize("ahead", [MINUTES, -MINUTES])
def test_what_is_put_off_waits_by_the_servers_clock(
    redis: Redis, monkeypatch: pytest.MonkeyPatch, ahead: float
) -> None:
    true = time.time
    monkeypatch.setattr(time, "time", lambda: true() + ahead)
    delay_message(redis, Message("koebin.assemble", "j/assemble", {}, "assemble", 6), 1.0)
    monkeypatch.undo()
    sent: list[Message] = []
    assert send_due(redis, sent.append) == 0
    assert delayed_ids(redis) == {"j/assemble"}
    wait_until(lambda: send_due(redis, sent.append) == 1)
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
    assert redis.zcard(redis_keys.WEBHOOKS) == 1


class FiveMinutesAhead(datetime):
    @classmethod
    def now(cls, tz: tzinfo | None = None) -> Self:
        return super().now(tz) + timedelta(seconds=MINUTES)


def test_a_briefing_is_due_by_the_servers_clock(
    redis_server: RedisServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of two processes whose clocks differ one was early, and the other found its own set back with every look."""

    def nothing_is_due(_: object) -> NoReturn:
        raise AssertionError

    (tmp_path / "yearly.toml").write_text(
        '[when]\ncrontab = "0 0 1 1 *"\n[template]\ntext = "新年です。"\n[output]\nstore = "file:///out"\n'
    )
    monkeypatch.setattr(schedule, "datetime", FiveMinutesAhead)
    with Redis.from_url(redis_server.url, decode_responses=True) as redis:
        stop = threading.Event()
        threading.Timer(0.5, stop.set).start()
        schedule.run_beat(tmp_path, redis, nothing_is_due, nothing_is_due, stop)
        (seen,) = Journal(redis).seen().values()
        assert abs(Seen.parse(seen).cursor.timestamp() - server_time(redis)) < MINUTES / 2
