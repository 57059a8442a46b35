"""Place of chunks among texts of the same priority."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from celery import Celery
from redis import Redis

from koebin.tasks.broker.celery_config import Sender, configure, sender
from koebin.tasks.broker.delayed_messages import Message
from koebin.tasks.broker.place_in_queue import TEXTS_BETWEEN
from koebin.tasks.contracts import SYNTHESIZE, SYNTHESIZE_CHUNK
from tests.servers.redis import RedisServer

LIST = "speaker.mei\x06\x166"


@pytest.fixture
def send(redis: Redis, redis_server: RedisServer) -> Iterator[Sender]:
    app = Celery("anybody")
    configure(app, broker=redis_server.url, result_backend=redis_server.url, visibility_timeout=30)
    yield sender(app, redis=redis)
    app.close()


def order(redis: Redis) -> list[str]:
    """Ids in the order in which they will be served."""
    rows: list[bytes] = redis.lrange(LIST, 0, -1)  # type: ignore[assignment]
    return [json.loads(row)["headers"]["id"] for row in rows[::-1]]


def message(task_id: str, task: str = SYNTHESIZE_CHUNK) -> Message:
    return Message(task, task_id, {"text": "はい", "speaker": "mei"}, "speaker.mei", 6)


def test_chunks_stand_in_their_order_among_a_flood_of_texts(redis: Redis, send: Sender) -> None:
    for number in range(3 * TEXTS_BETWEEN):
        send(message(f"text-{number}", SYNTHESIZE))
    for number in range(3):
        send(message(f"book/{number}"))
    found = order(redis)
    places = [found.index(f"book/{number}") for number in range(3)]
    assert places == [TEXTS_BETWEEN, 2 * TEXTS_BETWEEN + 1, 3 * TEXTS_BETWEEN + 2]
    assert [name for name in found if name.startswith("text")] == [f"text-{n}" for n in range(3 * TEXTS_BETWEEN)]


def test_after_the_last_one_was_served_the_next_waits_for_no_more_texts_than_that(redis: Redis, send: Sender) -> None:
    for number in range(100):
        send(message(f"text-{number}", SYNTHESIZE))
    send(message("book/0"))
    for _ in range(TEXTS_BETWEEN + 1):
        last = redis.rpop(LIST)
    assert json.loads(last)["headers"]["id"] == "book/0"  # type: ignore[arg-type]
    send(message("book/1"))
    assert order(redis).index("book/1") == TEXTS_BETWEEN


def test_without_a_flood_the_last_sent_is_the_last_served(redis: Redis, send: Sender) -> None:
    for task in (message("text", SYNTHESIZE), message("a/0"), message("b/0"), message("a/1")):
        send(task)
    assert order(redis) == ["text", "a/0", "b/0", "a/1"]
