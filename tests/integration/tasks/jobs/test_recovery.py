"""A job that Redis forgot is entered again from its store, with what was done and no more."""

from __future__ import annotations

from redis import Redis

from koebin import JobOptions, Passage, Script
from koebin.tasks import store_keys
from koebin.tasks.broker.delayed_messages import Message
from koebin.tasks.jobs.ledger import Ledger, State
from koebin.tasks.jobs.recovery import enter
from koebin.tasks.jobs.submission import submit
from koebin.tasks.redis_keys import ASSEMBLE_QUEUE, chunk_task
from koebin.tasks.stores.uri import open_store
from tests.integration.toy_voice import TARGET, announce_toy

SCRIPT = Script([Passage("これは少し長い文です。" * 60, "mei")])


def test_done_chunks_are_not_queued_again_and_a_job_that_is_there_is_left_alone(redis: Redis, store: str) -> None:
    sent: list[Message] = []
    at = open_store(store)
    manifest = submit(redis, at, sent.append, "book", SCRIPT, JobOptions(), {"mei": TARGET})
    assert manifest.chunks > 2
    at.put(store_keys.done("book", 0), b"{}")
    redis.flushdb()
    announce_toy(redis)
    sent.clear()
    assert enter(redis, at, sent.append, manifest)
    entry = Ledger(redis).entry("book")
    assert (entry.state, entry.done, entry.chunks) == (State.RUNNING, 1, manifest.chunks)
    assert [message.task_id for message in sent] == [chunk_task("book", 1), chunk_task("book", 2)]
    assert not enter(redis, at, sent.append, manifest)


def test_a_job_of_which_all_is_spoken_is_assembled(redis: Redis, store: str) -> None:
    sent: list[Message] = []
    at = open_store(store)
    manifest = submit(redis, at, sent.append, "book", SCRIPT, JobOptions(), {"mei": TARGET})
    for chunk in range(manifest.chunks):
        at.put(store_keys.done("book", chunk), b"{}")
    redis.flushdb()
    assert enter(redis, at, sent.append, manifest)
    assert Ledger(redis).state("book") is State.ASSEMBLING
    assert [message.queue for message in sent] == [ASSEMBLE_QUEUE]
