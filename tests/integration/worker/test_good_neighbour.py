"""Good neighbour: shares among texts, briefings and books, and another application's Celery on the same database."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from celery import Celery, chain
from redis import Redis

from koebin.producers.client import Client
from koebin.tasks.jobs.ledger import State
from koebin.tasks.settings import Settings
from tests.servers.reaper import reap_later
from tests.servers.redis import RedisServer
from tests.servers.waiting import PATIENCE, wait_until
from tests.servers.worker import Worker

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("neighbour")]

FAST = {"visibility_timeout": 30, "sweep_interval": 0.5, "batch_texts": 1}
FLOOD = 400
PRIORITIES = {"interactive": 0, "batch": 6}

SHOP = """
from celery import Celery
app = Celery("shop", broker=%(url)r, backend=%(url)r)
app.conf.worker_hijack_root_logger = False

@app.task(name="shop.publish")
def publish(result):
    return "published " + result["uri"]

@app.task(name="shop.add")
def add(a, b):
    return a + b
"""


@pytest.fixture
def client(redis_server: RedisServer, store: str) -> Iterator[Client]:
    with Client(settings=Settings(broker_url=redis_server.url, store=store, visibility_timeout=30)) as connected:
        yield connected


def send(app: Celery, store: str, number: int, priority: int) -> object:
    request = {"text": f"{number}番目の文です。", "speaker": "mei", "store": store}
    return app.send_task("koebin.synthesize", args=[request], queue="speaker.mei", priority=priority)


@pytest.mark.parametrize("kind", PRIORITIES)
def test_a_flood_of_texts_holds_up_no_book(
    kind: str, redis: Redis, redis_server: RedisServer, client: Client, store: str
) -> None:
    """Neither one that is more urgent, as of producers that name no priority, nor one of the book's own priority."""
    texts = [send(client.app, store, number, PRIORITIES[kind]) for number in range(FLOOD)]
    step = "speaker.mei" if kind == "interactive" else "speaker.mei\x06\x166"
    with Worker(redis_server.url, store, settings=FAST):
        job = client.submit("本の一文目です。二文目です。三文目です。", job_id="book", wait_seconds=PATIENCE)
        assert client.wait(job, PATIENCE).state is State.SUCCEEDED
        assert int(redis.llen(step)) > FLOOD // 4, "the book had to wait for the flood"
        assert len({text.get(timeout=PATIENCE)["uri"] for text in texts}) == FLOOD  # type: ignore[attr-defined]


def test_texts_make_no_new_connections(redis: Redis, redis_server: RedisServer, client: Client, store: str) -> None:
    with Worker(redis_server.url, store, settings=FAST):

        def speak(first: int) -> None:
            for text in [send(client.app, store, first + number, 6) for number in range(40)]:
                text.get(timeout=PATIENCE)  # type: ignore[attr-defined]

        def connections() -> int:
            return int(redis.info("stats")["total_connections_received"])

        speak(0)
        before = connections()
        speak(100)
        assert connections() - before <= 4, "one connection for each of 40 texts"


@pytest.fixture
def shop(redis_server: RedisServer, tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Another application's worker, with Celery's own settings, on the same database."""
    (tmp_path / "shop.py").write_text(SHOP % {"url": redis_server.url})
    command = [sys.executable, "-m", "celery", "-A", "shop", "worker", "--pool", "solo", "--loglevel", "INFO"]
    with (tmp_path / "shop.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=tmp_path, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    reap_later(process)
    yield process
    process.kill()
    process.wait()


def test_another_application_on_the_same_database_works_beside_ours(
    redis: Redis, redis_server: RedisServer, client: Client, store: str, shop: subprocess.Popen[bytes]
) -> None:
    theirs = Celery("shop", broker=redis_server.url, backend=redis_server.url)
    redis.set("shop:basket", "one")
    with Worker(redis_server.url, store, settings=FAST | {"visibility_timeout": 4}) as worker:
        assert theirs.send_task("shop.add", args=[1, 2]).get(timeout=PATIENCE) == 3
        request = {"text": "店の知らせです。", "speaker": "mei", "store": store}
        spoken = theirs.signature("koebin.synthesize", args=[request], queue="speaker.mei")
        told = chain(spoken, theirs.signature("shop.publish"))
        assert told.apply_async().get(timeout=PATIENCE).startswith("published file://")
        assert client.wait(client.submit("こちらの仕事です。"), PATIENCE).state is State.SUCCEEDED

        theirs.control.shutdown()  # every worker that hears Celery's own exchange
        wait_until(lambda: shop.poll() is not None, what="the shop's worker did not end")
        waiting = [theirs.send_task("shop.add", args=[number, 1]) for number in range(3)]
        assert client.wait(client.submit("あとの仕事です。"), PATIENCE).state is State.SUCCEEDED
        assert worker.process.poll() is None
        assert [json.loads(row)["headers"]["id"] for row in redis.lrange("celery", 0, -1)] == [
            sent.id for sent in reversed(waiting)
        ], "ours took what is not ours"
    assert redis.get("shop:basket") == b"one"
    theirs.close()
