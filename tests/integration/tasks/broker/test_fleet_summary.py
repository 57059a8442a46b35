"""Counted summary of the fleet: kept by announcements, counted anew, and right beside workers of an older release."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from redis import Redis

from koebin.tasks import redis_keys
from koebin.tasks.broker.fleet import Announcement, ServedSpeaker, announce, fleet
from koebin.tasks.broker.fleet_summary import FleetSummary, serving

MEI = ServedSpeaker("mei", ("Neutral",), 48000, "m1", 4.0)
KEN = ServedSpeaker("ken", ("Neutral",), 48000, "k1", 4.0)
ONE = Announcement("one", "e1", 1, True, (MEI, KEN))
TWO = Announcement("two", "e1", 2, False, (MEI,))


def children(redis: Redis, speaker: str = "mei", model: str = "m1", engine: str = "e1") -> int:
    return serving(redis, {speaker: model}, engine).children(speaker, model, engine)


def test_who_dispatches_reads_one_small_hash_once_somebody_has_counted(redis: Redis) -> None:
    workers = FleetSummary(redis)
    digest = workers.announce(ONE)
    assert children(redis) == 1, "nobody has counted: the announcements are read"
    workers.count()
    assert workers.announce(ONE, digest) == digest
    workers.announce(TWO)
    assert [children(redis), children(redis, "ken", "k1"), children(redis, engine="e2")] == [3, 1, 0]
    workers.announce(replace(TWO, children=1))
    assert children(redis) == 2
    workers.withdraw("one")
    assert [children(redis), children(redis, "ken", "k1")] == [1, 0]
    assert fleet(redis).children("mei", "m1", "e1") == 1


def test_a_heartbeat_sends_no_document_and_one_that_was_lost_is_said_again(redis: Redis) -> None:
    workers = FleetSummary(redis)
    digest = workers.announce(ONE)
    redis.expire(redis_keys.worker("one"), 1)
    redis.config_resetstat()
    workers.announce(ONE, digest)
    assert redis.ttl(redis_keys.worker("one")) > 5
    assert "cmdstat_set" not in redis.info("commandstats")
    redis.delete(redis_keys.worker("one"))
    workers.announce(ONE, digest)
    assert [worker.worker for worker in fleet(redis).workers] == ["one"]


def test_a_killed_worker_and_one_of_an_older_release_are_counted_at_the_next_count(redis: Redis) -> None:
    workers = FleetSummary(redis)
    workers.announce(ONE)
    workers.count()
    announce(redis, TWO)  # as releases before the summary do
    redis.delete(redis_keys.worker("one"))
    counted = workers.count()
    assert counted.children("mei", "m1", "e1") == children(redis) == 2
    assert [counted.assemblers(), counted.live("mei"), counted.live("ken")] == [0, ["mei@m1/e1"], []]
    assert redis.smembers(redis_keys.WORKERS) == {b"two"}
    assert redis.ttl(redis_keys.FLEET) > 0


def test_an_announcement_that_comes_while_others_are_counted_is_not_lost(
    redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    workers, slow = FleetSummary(redis), FleetSummary(redis)
    workers.announce(ONE)
    workers.count()
    replace_all = slow._replace

    def interrupted(**arguments: Any) -> Any:
        workers.announce(TWO)
        return replace_all(**arguments)

    monkeypatch.setattr(slow, "_replace", interrupted)
    slow.count()
    assert children(redis) == 3


def test_what_is_no_announcement_stops_no_count(redis: Redis) -> None:
    workers = FleetSummary(redis)
    workers.announce(ONE)
    for name, text in (
        ("bad", "{"),
        ("strange", '{"speakers": 3}'),
        ("list", "[]"),
        ("nameless", '{"speakers": [{}]}'),
    ):
        redis.set(redis_keys.worker(name), text)
        redis.sadd(redis_keys.WORKERS, name)
    assert workers.count().children("mei", "m1", "e1") == 1


def test_a_thousand_workers_are_counted_by_short_commands(redis: Redis) -> None:
    workers = FleetSummary(redis)
    speakers = tuple(ServedSpeaker(f"s{n}", ("Neutral",) * 5, 48000, "a" * 64, 4.0) for n in range(10))
    for number in range(1000):
        workers.announce(Announcement(f"w{number}", "e" * 64, 1, False, speakers))
    redis.config_resetstat()
    assert workers.count().children("s3", "a" * 64, "e" * 64) == 1000
    assert redis.info("commandstats")["cmdstat_evalsha"]["calls"] >= 20
