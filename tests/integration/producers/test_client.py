"""Client queries to Redis and the store: they agree, whatever happens to a job at the same moment."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis

from koebin.engine.errors import InvalidMessage, JobCancelled
from koebin.producers import client as producer
from koebin.producers.client import Client
from koebin.tasks import celery_tasks, store_keys
from koebin.tasks.broker.delayed_messages import Message
from koebin.tasks.broker.fleet import Fleet, fleet
from koebin.tasks.contracts import dump
from koebin.tasks.jobs.dead_letters import DeadLetters
from koebin.tasks.jobs.dispatch import chunk_message
from koebin.tasks.jobs.ledger import State
from koebin.tasks.jobs.outcome import JobOutcome
from koebin.tasks.running.runtime import Runtime
from koebin.tasks.settings import Settings
from tests.integration.toy_voice import toy_runtime
from tests.servers.redis import RedisServer


@pytest.fixture
def runtime(redis_server: RedisServer, tmp_path: Path) -> Iterator[Runtime]:
    redis: Redis = Redis.from_url(redis_server.url)
    yield toy_runtime(redis, tmp_path, [])
    redis.close()


@pytest.fixture
def client(redis_server: RedisServer, tmp_path: Path, runtime: Runtime) -> Iterator[Client]:
    del runtime  # it has announced the voice
    with Client(settings=Settings(broker_url=redis_server.url, store=(tmp_path / "store").as_uri())) as connected:
        yield connected


def message_of(client: Client, job: str) -> Message:
    return chunk_message(client.ledger.entry(job), 0, "mei")


def states(client: Client, job: str) -> set[State]:
    """What each of the client's questions answers, while Redis knows the job and after."""
    found = set()
    for forget in (False, True):
        if forget:
            client.ledger.forget(job)
        outcome = client.outcome(job)
        assert outcome is not None
        found |= {outcome.state, client.status(job).state, client.cancel(job)}
    return found


def test_a_chunk_that_fails_just_after_a_cancel_changes_nothing(
    client: Client, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = client.submit("一つ目です。")
    message = message_of(client, job)

    def troubled(*_: object) -> None:
        assert client.cancel(job) is State.CANCELLED
        raise InvalidMessage("rubbish", "")

    monkeypatch.setattr(celery_tasks, "open_chunk", troubled)
    celery_tasks.synthesize_chunk.apply(args=[message.request], task_id=message.task_id)
    assert states(client, job) == {State.CANCELLED}


def test_what_has_ended_in_the_store_is_not_cancelled_any_more(client: Client) -> None:
    """Its worker is about to tell Redis."""
    job = client.submit("一つ目です。")
    client.store.put(store_keys.result(job), dump(JobOutcome(job=job, state=State.FAILED, error="why")))
    assert client.cancel(job) is State.FAILED
    assert client.ledger.entry(job).error == "why"
    assert states(client, job) == {State.FAILED}


@pytest.mark.parametrize("forgotten", [False, True])
def test_what_was_cancelled_is_not_driven_again_and_keeps_its_dead_letters(client: Client, forgotten: bool) -> None:
    job = client.submit("一つ目です。")
    DeadLetters(client.redis).add(job, "ab" * 32, {"key": "ab" * 32, "job": job, "chunk": 0, "time": 1.0})
    client.cancel(job)
    if forgotten:
        client.ledger.forget(job)
    with pytest.raises(JobCancelled, match=r"Submit it under another id: stored segments are reused"):
        client.redrive(job)
    assert [letter["job"] for letter in client.dead_letters()] == [job]
    assert states(client, job) == {State.CANCELLED}


def test_a_submission_looks_once_who_is_there_to_plan_for(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is queued first is decided by another look, for writing the documents of a long script takes a while."""
    looks: list[Fleet] = []

    def counted(redis: Redis) -> Fleet:
        looks.append(fleet(redis))
        return looks[-1]

    monkeypatch.setattr(producer, "fleet", counted)
    client.submit("一つ目です。")
    assert len(looks) == 1
