"""Watchdog of a worker: it ends one that is of no use, and none that merely had no time or no broker."""

from __future__ import annotations

import time
from collections.abc import Iterator
from types import SimpleNamespace

import pytest
from redis import Redis
from redis.exceptions import RedisError

from koebin.tasks.broker.leases import Leases
from koebin.tasks.jobs.ledger import Ledger
from koebin.tasks.priorities import PRIORITY_STEPS
from koebin.tasks.redis_keys import priority_list, speaker_queue
from koebin.worker.celery_ext.held_leases import HeldLeases
from koebin.worker.parent import watchdog
from koebin.worker.parent.supervisor import LoopState
from koebin.worker.parent.watchdog import Watchdog
from tests.servers.redis import RedisServer

QUEUE = speaker_queue("mei")


class Ended(Exception):
    """The worker would have been ended."""


class Station:
    """A watchdog whose clock stands still between its steps, and a loop that runs unless it is told not to."""

    def __init__(self, server: RedisServer, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = time.monotonic()
        clock = SimpleNamespace(monotonic=lambda: self.now)
        monkeypatch.setattr(watchdog, "time", clock)
        monkeypatch.setattr(watchdog, "_end_worker", self._end)
        self.redis: Redis = Redis.from_url(server.url)
        self.loop = LoopState(self.now, consuming=(QUEUE,), child=1)
        held = HeldLeases(Leases(self.redis, 30.0), Ledger(self.redis))
        self._watchdog = Watchdog(self.redis, held, self.loop, stuck_seconds=5, load_seconds=100)

    @staticmethod
    def _end(problem: str) -> None:
        raise Ended(problem)

    def step(self, seconds: int, *, loop_runs: bool = True) -> None:
        """So many steps, a second apart."""
        for _ in range(seconds):
            self.now += 1
            if loop_runs:
                self.loop.ticked = self.now
            self._watchdog.step()

    def sleep(self, seconds: float) -> None:
        """Nothing runs, and then the watchdog does, before the loop."""
        self.now += seconds
        self._watchdog.step()

    def lay_message(self) -> None:
        self.redis.lpush(priority_list(QUEUE, PRIORITY_STEPS[-1]), b"{}")


@pytest.fixture
def station(redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Station]:
    made = Station(redis_server, monkeypatch)
    yield made
    made.redis.close()


def test_a_worker_that_has_nothing_to_do_is_left_alone(station: Station) -> None:
    station.step(200)


def test_messages_that_nobody_takes_end_the_worker(station: Station) -> None:
    station.lay_message()
    station.step(60)
    with pytest.raises(Ended, match="messages have waited"):
        station.step(4)


def test_a_loop_that_stands_still_ends_the_worker(station: Station) -> None:
    station.step(58, loop_runs=False)
    with pytest.raises(Ended, match="loop has not run"):
        station.step(6, loop_runs=False)


def test_a_worker_without_an_engine_is_ended(station: Station) -> None:
    station.loop.child = 0
    station.step(99)
    with pytest.raises(Ended, match="no pool process"):
        station.step(4)


def test_a_machine_that_slept_is_excused_and_its_time_begins_anew(station: Station) -> None:
    station.lay_message()
    station.step(50)
    station.sleep(3600)
    station.step(58)
    with pytest.raises(Ended, match="messages have waited"):
        station.step(6)


def test_an_outage_of_the_broker_is_excused(station: Station, redis_server: RedisServer) -> None:
    station.step(2)
    redis_server.kill()
    for _ in range(40):
        station.now += 3
        with pytest.raises(RedisError):
            station.sleep(0)
    redis_server.start()
    station.lay_message()
    station.step(56)
    with pytest.raises(Ended, match="messages have waited"):
        station.step(8)


def test_a_worker_that_shuts_down_is_not_ended_for_standing_still(station: Station) -> None:
    station.lay_message()
    station.loop.stopping = True
    station.step(200, loop_runs=False)
