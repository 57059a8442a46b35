"""Idle waiting of a worker for messages, by a consumer of its transport."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from kombu import Connection, Consumer, Queue
from redis import Redis

from koebin.tasks.priorities import PRIORITY_STEPS
from koebin.tasks.redis_keys import priority_list
from koebin.worker.celery_ext import transport
from koebin.worker.celery_ext.queue_order import QueueOrder
from tests.servers.redis import RedisServer
from tests.servers.waiting import PATIENCE

REST = 1.5
ENDLESS = 10 * PATIENCE


@pytest.fixture(autouse=True)
def long_rests(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever waits for a rest to end is seen to wait."""
    monkeypatch.setattr(transport, "REST_SECONDS", REST)


@contextmanager
def consumer(url: str, taken: list[str]) -> Iterator[Connection]:
    """Of a speaker and of what is assembled, idle so far; messages are acknowledged and laid aside."""

    def take(body: object, message: transport.Message) -> None:
        taken.append(str(body))
        message.ack()

    options = {"priority_steps": list(PRIORITY_STEPS), "queue_order_strategy": QueueOrder}
    with Connection(
        url, transport="koebin.worker.celery_ext.transport:Transport", transport_options=options
    ) as connection:
        queues = [Queue(name, exchange="", routing_key=name) for name in ("speaker.mei", "assemble")]
        with Consumer(connection, queues, callbacks=[take], accept=["json"]):
            with pytest.raises(TimeoutError):
                connection.drain_events(timeout=REST / 3)
            yield connection


def lay(redis: Redis, queue: str, priority: int, body: str) -> None:
    route = {"exchange": "", "routing_key": queue}
    properties = {"delivery_tag": body, "delivery_info": route, "priority": priority}
    message = {"body": json.dumps(body), "content-type": "application/json", "content-encoding": "utf-8"}
    redis.lpush(priority_list(queue, priority), json.dumps({**message, "headers": {}, "properties": properties}))


def lay_and_take(redis: Redis, connection: Connection, queue: str, priority: int, taken: list[str]) -> None:
    """Lay a message into the queue while the consumer rests. Raises: TimeoutError if the rest keeps it waiting."""
    before = len(taken)
    timer = threading.Timer(0.1, lay, (redis, queue, priority, f"{queue} {priority}"))
    timer.start()
    while len(taken) == before:
        connection.drain_events(timeout=PATIENCE)
    timer.join()


def test_what_is_urgent_ends_the_rest_of_an_idle_worker(
    redis_server: RedisServer, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[str] = []
    monkeypatch.setattr(transport, "REST_SECONDS", ENDLESS)
    with consumer(redis_server.url, taken) as idle:
        lay_and_take(redis, idle, "speaker.mei", 0, taken)
        monkeypatch.setattr(transport, "REST_SECONDS", REST)
        lay_and_take(redis, idle, "assemble", 0, taken)
        lay_and_take(redis, idle, "speaker.mei", 6, taken)
    assert taken == ["speaker.mei 0", "assemble 0", "speaker.mei 6"]


def test_messages_that_end_a_rest_keep_their_order_and_come_once(redis_server: RedisServer, redis: Redis) -> None:
    taken: list[str] = []
    with consumer(redis_server.url, taken) as idle:
        for number in range(20):
            lay(redis, "speaker.mei", 0, f"{number}")
        while len(taken) < 20:
            idle.drain_events(timeout=PATIENCE)
        with pytest.raises(TimeoutError):
            idle.drain_events(timeout=REST / 3)
    assert taken == [str(number) for number in range(20)]
    assert not redis.exists("speaker.mei")


def test_a_user_that_may_not_look_waits_all_the_same(redis_server: RedisServer, redis: Redis) -> None:
    redis.acl_setuser("plain", enabled=True, nopass=True, keys=["*"], channels=["*"], commands=["+@all", "-blmove"])
    taken: list[str] = []
    with consumer(redis_server.url.replace("redis://", "redis://plain:x@"), taken) as idle:
        lay_and_take(redis, idle, "speaker.mei", 0, taken)
        lay_and_take(redis, idle, "speaker.mei", 0, taken)
    assert len(taken) == 2


def test_the_script_is_sent_once_and_again_when_the_server_has_forgotten_it(
    redis_server: RedisServer, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transport, "REST_SECONDS", 0.05)
    taken: list[str] = []
    with consumer(redis_server.url, taken) as idle:
        for number in range(5):
            lay_and_take(redis, idle, "speaker.mei", 6, taken)
            if number == 2:
                redis.script_flush()
        statistics = redis.info("commandstats")
        assert statistics["cmdstat_eval"]["calls"] == 2
        assert statistics["cmdstat_evalsha"]["calls"] > 5
    assert len(taken) == 5


@pytest.mark.parametrize(("workers", "looks"), [(1, 15), (2, 20), (10, 20), (100, 100), (1000, 1000)])
def test_idle_workers_look_as_often_together_as_one_that_is_alone(
    workers: int, looks: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or as seldom as each may rest."""
    monkeypatch.setattr(transport, "REST_SECONDS", 0.05)
    rest, by_second = 0.05, 0.0
    for _ in range(60):
        by_second = workers / (rest + 0.02)
        rest = transport.next_rest(rest, by_second)
    assert 0.5 * looks <= by_second <= 1.5 * looks
    for _ in range(8):  # all others are busy again
        rest = transport.next_rest(rest, 1 / rest)
    assert rest < 0.1
