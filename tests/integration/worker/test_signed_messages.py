"""Message signing with real workers: what is signed is made, what is not is refused, keys are replaced meanwhile."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from celery.result import AsyncResult
from redis import Redis

from koebin.producers.client import Client
from koebin.tasks.jobs.ledger import State
from koebin.tasks.message_signing import parse_keys
from koebin.tasks.settings import Settings
from tests.integration.queue_texts import numbered
from tests.integration.worker.hostile_messages import envelope, text_request
from tests.servers.redis import RedisServer
from tests.servers.worker import Worker, wait_until

pytestmark = [pytest.mark.xdist_group("signed"), pytest.mark.timeout(300)]

OLD, NEW = "old:0123456789abcdef", "new:fedcba9876543210"
FAST = {"visibility_timeout": 4, "sweep_interval": 0.3}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> str:
    return (tmp_path_factory.mktemp("signed") / "store").as_uri()


@pytest.fixture(scope="module")
def worker(server: RedisServer, store: str) -> Iterator[Worker]:
    with Worker(server.url, store, "mei", settings={**FAST, "message_keys": f"{NEW},{OLD}"}) as running:
        yield running


@pytest.fixture
def redis(server: RedisServer) -> Iterator[Redis]:
    client: Redis = Redis.from_url(server.url)
    yield client
    client.close()


def client_with(server: RedisServer, store: str, keys: str) -> Client:
    return Client(settings=Settings(broker_url=server.url, store=store, visibility_timeout=4, message_keys=keys))


@pytest.mark.parametrize("keys", [OLD, NEW, f"{OLD},{NEW}"])
def test_jobs_of_either_key_are_made(server: RedisServer, store: str, worker: Worker, keys: str) -> None:
    with client_with(server, store, f"{keys},{NEW}") as client:
        outcome = client.wait(client.submit(numbered(4)), 120)
        assert outcome.state is State.SUCCEEDED
    assert "0123456789abcdef" not in worker.text()


def test_texts_are_spoken_if_they_are_signed(server: RedisServer, store: str, worker: Worker, redis: Redis) -> None:
    keys = parse_keys(OLD)
    with client_with(server, store, OLD) as client:

        def send(signed: dict[str, str], task_id: str, text: str) -> AsyncResult[Any]:
            message = envelope("koebin.synthesize", text_request(text, store), headers={"id": task_id, **signed})
            redis.lpush("speaker.mei", json.dumps(message))
            return AsyncResult(task_id, app=client.app)

        request = text_request("署名のある文です。", store)
        good = keys.sign_message("koebin.synthesize", "good", [request])
        assert send(good, "good", "署名のある文です。").get(timeout=60)["uri"]
        for task_id, signed in (("bare", {}), ("another-id", good), ("forged", {"koebin_signature": "v1;old;00"})):
            with pytest.raises(Exception, match="sign"):
                send(signed, task_id, "署名のない文です。").get(timeout=60)
        assert sum("NotSigned" in row["reason"] for row in client.unreadable_messages()) == 3


def test_what_is_held_or_linked_keeps_its_signature(
    server: RedisServer, store: str, worker: Worker, redis: Redis
) -> None:
    keys = parse_keys(OLD)
    with client_with(server, store, OLD) as client:
        second = client.app.signature(
            "koebin.synthesize", args=[text_request("鎖の後の文です。", store)], queue="speaker.mei", immutable=True
        )
        request = text_request("後で読む文です。", store)
        signed = keys.sign_message("koebin.synthesize", "later", [request])
        client.app.send_task(
            "koebin.synthesize", args=[request], task_id="later", queue="speaker.mei", countdown=2, headers=signed
        )
        assert AsyncResult("later", app=client.app).get(timeout=60)["uri"]
        links = {"callbacks": [dict(second)]}
        headers = {"id": "linked", **keys.sign_message("koebin.synthesize", "linked", [request], {}, links)}
        redis.lpush("speaker.mei", json.dumps(envelope("koebin.synthesize", request, headers=headers, links=links)))
        assert AsyncResult("linked", app=client.app).get(timeout=60)["uri"]
        wait_until(lambda: "鎖の後の文です。" in str(_marks(store)), 60, "what was linked was not spoken")


def _marks(store: str) -> list[str]:
    folder = Path(store.removeprefix("file://")) / "texts"
    return [path.read_text() for path in folder.glob("*/*.json")]


def test_rows_of_strangers_among_the_delayed_are_not_signed_for_them(
    server: RedisServer, store: str, worker: Worker, redis: Redis
) -> None:
    row = ["koebin.synthesize", "smuggled", text_request("忍び込む文です。", store), "speaker.mei", 0]
    redis.zadd("koebin:delayed", {json.dumps(row): 1.0})
    with client_with(server, store, OLD) as client:
        wait_until(
            lambda: any("delayed message is not signed" in row["reason"] for row in client.unreadable_messages()), 30
        )
        assert AsyncResult("smuggled", app=client.app).state == "PENDING"


def test_a_document_that_a_stranger_wrote_fails_its_job(
    server: RedisServer, store: str, worker: Worker, redis: Redis
) -> None:
    """A job that a producer without keys has written into the store."""
    with client_with(server, store, "") as stranger, client_with(server, store, OLD) as client:
        job = stranger.submit("見知らぬ仕事です。")
        wait_until(
            lambda: (
                any("NotSigned" in row["reason"] for row in client.unreadable_messages())
                or client.ledger.entry(job).state is State.FAILED
            ),
            60,
        )
        assert client.ledger.entry(job).state in (State.RUNNING, State.FAILED)
        folder = Path(store.removeprefix("file://")) / "jobs" / job / "out"
        assert not folder.exists()
