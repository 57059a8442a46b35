"""Broker as a worker meets it at its start: least rights, a policy that drops work, another worker of the same name."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
from redis import Redis

from koebin.engine.errors import ConfigurationError
from koebin.producers import exits
from koebin.producers.client import Client
from koebin.tasks.broker.fleet import Announcement, ServedSpeaker, fleet
from koebin.tasks.connection import connect
from koebin.tasks.jobs.ledger import State
from koebin.tasks.settings import Settings
from koebin.worker.broker_start import look_at_broker
from koebin.worker.parent import announcer as announcing
from koebin.worker.parent.announcer import Announcer
from koebin.worker.parent.supervisor import LoopState
from tests.integration.tasks.test_broker_address import LEAST
from tests.servers.redis import RedisServer
from tests.servers.waiting import PATIENCE
from tests.servers.worker import Worker


def user(redis: Redis, server: RedisServer, *more: str) -> str:
    """URL of a user with the least rights, but for some."""
    redis.execute_command("ACL", "SETUSER", "least", "on", ">x", "resetchannels", *LEAST, *more)
    return server.url.replace("redis://", "redis://least:x@")


def test_what_is_wrong_is_logged_and_what_lacks_stops_the_start(
    redis: Redis, redis_server: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    url = user(redis, redis_server)
    look_at_broker(connect(url), "redis://shown")
    assert caplog.text == ""
    redis.config_set("maxmemory-policy", "allkeys-lru")
    user(redis, redis_server)
    look_at_broker(connect(url), "redis://shown")
    assert "maxmemory-policy is allkeys-lru. Set maxmemory-policy noeviction" in caplog.text
    user(redis, redis_server, "-info")
    look_at_broker(connect(url), "redis://shown")
    assert "the user may not use the command INFO" in caplog.text
    user(redis, redis_server, "-brpop")
    with pytest.raises(ConfigurationError, match=r"may not use the command BRPOP.*docs/operations.md"):
        look_at_broker(connect(url), "redis://shown")
    redis_server.stop()
    look_at_broker(connect(url, retries=0), "redis://shown")
    assert "could not be looked at" in caplog.text


@pytest.mark.slow
def test_a_user_with_the_least_rights_is_enough_for_jobs_and_texts(
    redis: Redis, redis_server: RedisServer, tmp_path: Path
) -> None:
    url, store = user(redis, redis_server), (tmp_path / "store").as_uri()
    settings = {"visibility_timeout": 4, "sweep_interval": 0.5}
    with (
        Worker(url, store, settings=settings) as worker,
        Client(settings=Settings(broker_url=url, store=store, visibility_timeout=4)) as client,
    ):
        assert client.wait(client.submit("最小の権限です。"), PATIENCE).state is State.SUCCEEDED
        request = {"text": "一つの文です。", "speaker": "mei", "store": store}
        sent = client.app.send_task("koebin.synthesize", args=[request], queue="speaker.mei", countdown=1)
        assert sent.get(timeout=PATIENCE)["uri"]
        assert client.cancel(client.submit("取り消します。")) in (State.CANCELLED, State.SUCCEEDED)
        assert worker.stop() == 0
        log = redis.execute_command("ACL", "LOG")
        assert log == [], log
        assert "NOPERM" not in worker.text()


def test_a_user_without_a_right_is_told_so_by_the_worker(
    redis: Redis, redis_server: RedisServer, tmp_path: Path
) -> None:
    url = user(redis, redis_server, "-zadd")
    with Worker(url, (tmp_path / "store").as_uri()).start(ready=False) as worker:
        assert worker.process.wait(PATIENCE) == exits.INVALID
        assert "the broker's user lacks rights: the user may not use the command ZADD" in worker.text()
        assert "Traceback" not in worker.text()


def test_a_worker_that_says_ready_has_been_announced(redis: Redis, redis_server: RedisServer, tmp_path: Path) -> None:
    with Worker(redis_server.url, (tmp_path / "store").as_uri(), name="early@test").start(ready=False) as worker:
        worker.wait_for_log("ready; consuming")
        assert [one.worker for one in fleet(redis).workers if one.children] == ["early@test"]


def test_two_workers_of_one_name_are_two_and_are_told(
    redis: Redis, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(announcing, "ANNOUNCEMENT_SECONDS", 0)
    served = (ServedSpeaker("mei", ("Neutral",), 48000, "m1", 4.0),)
    first, second = (
        Announcer(redis, LoopState(0.0, announcement=Announcement("twin", "e1", 1, True, served, instance=name)), 0.0)
        for name in ("a", "b")
    )
    for _ in range(2):
        first.step()
    assert "twin" not in caplog.text
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            second.step()
    assert caplog.text.count("another live worker has the name twin") == 1
    assert fleet(redis).children("mei", "m1", "e1") == 2
    first.withdraw()
    assert [worker.instance for worker in fleet(redis).workers] == ["b"]
