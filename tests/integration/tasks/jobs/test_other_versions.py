"""Entries of another version, or of a stranger, in Redis and in the store: read as far as it is known, else told."""

from __future__ import annotations

import json
import logging
import time
from typing import Any

import pytest
from redis import Redis

from koebin.engine.errors import InvalidMessage, JobUnreadable
from koebin.tasks import redis_keys
from koebin.tasks.broker import fleet
from koebin.tasks.broker.delayed_messages import Message, delayed_messages, send_due
from koebin.tasks.broker.leases import Leases
from koebin.tasks.contracts import AssembleRequest, ChunkDocument, SynthesizeRequest, parse, parse_json
from koebin.tasks.jobs.backlog import backlog
from koebin.tasks.jobs.ledger import Ledger, LedgerChunk, State
from koebin.worker.parent.requeue_lost import LostWork

FIELDS: dict[str, Any] = {"store": "file:///s", "created": 1.0, "priority": 6, "chunks": 1, "segments": 1}
FIELDS |= {"speakers": '{"mei": "m1"}', "engine_revision": "e1"}


def announce(redis: Redis, name: str, **more: object) -> None:
    served = {
        "name": "mei",
        "styles": ["Neutral"],
        "sample_rate_hz": 24000,
        "model_revision": "m1",
        "speed_factor": 9.0,
    }
    document = {"worker": name, "engine_revision": "e1", "children": 1, "assembles": True, "speakers": [served], **more}
    redis.set(redis_keys.worker(name), json.dumps(document), ex=60)
    redis.sadd(redis_keys.WORKERS, name)


def test_fields_of_tomorrow_in_an_announcement_are_ignored(redis: Redis) -> None:
    served = {
        "name": "mei",
        "styles": [],
        "sample_rate_hz": 1,
        "model_revision": "m1",
        "speed_factor": 1,
        "languages": [],
    }
    announce(redis, "tomorrow", speakers=[served], gpus=["H200"])
    announce(redis, "today")
    assert {worker.worker for worker in fleet.fleet(redis).workers} == {"today", "tomorrow"}


@pytest.mark.parametrize("raw", ["", "null", "[]", "7", "{}", '{"worker": "x"}', "[" * 5000, "\x00"])
def test_what_is_no_announcement_hides_no_other(redis: Redis, raw: str) -> None:
    announce(redis, "today")
    redis.set(redis_keys.worker("strange"), raw, ex=60)
    redis.sadd(redis_keys.WORKERS, "strange")
    assert [worker.worker for worker in fleet.fleet(redis).workers] == ["today"]


@pytest.mark.parametrize("change", [{"state": "TOMORROW"}, {"chunks": "many"}, {"speakers": "["}, {"created": ""}])
def test_a_job_that_cannot_be_read_holds_up_no_other(
    redis: Redis, change: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    ledger = Ledger(redis)
    for job in ("strange", "well"):
        ledger.create(job, FIELDS, [LedgerChunk(0, "mei", 1.0)])
    redis.hset(redis_keys.job("strange"), mapping=change)
    announce(redis, "today")
    sent: list[Message] = []
    lost_work = LostWork(redis, Leases(redis, 30), sent.append, 0.1)
    with caplog.at_level(logging.ERROR):
        for _ in range(2):
            lost_work.run()
            time.sleep(0.2)
    assert "well/0" in {message.task_id for message in sent}
    assert "strange/0" not in {message.task_id for message in sent}
    assert backlog(redis)["mei"].audio_seconds
    assert ledger.live() == ["strange", "well"]
    if "state" in change:
        assert ledger.entry("strange").state is State.UNKNOWN
        assert not State.UNKNOWN.ended
    else:
        with pytest.raises(JobUnreadable):
            ledger.entry("strange")


def test_delayed_rows_of_the_last_release_are_sent_and_bad_ones_are_set_aside(redis: Redis) -> None:
    request = {"text": "はい", "speaker": "mei", "store": "file:///s"}
    good = json.dumps(["koebin.synthesize", "t", request, "speaker.mei", 3])
    redis.zadd(redis_keys.DELAYED, dict.fromkeys((good, "[]", "x", '["a"]', "null", "[" * 3000), 1.0))
    assert [message.task_id for message in delayed_messages(redis)] == ["t"]
    sent: list[Message] = []
    send_due(redis, sent.append)
    assert sent == [Message("koebin.synthesize", "t", request, "speaker.mei", 3)]
    assert not redis.exists(redis_keys.DELAYED)
    assert redis.llen(redis_keys.UNREADABLE) == 5


def test_fields_of_tomorrow_in_documents_and_messages() -> None:
    document = b'{"version":1,"chunk":0,"speaker":"mei","seconds":1.0,"segments":[],"tomorrow":{"a":[1]}}'
    assert parse_json(ChunkDocument, document).speaker == "mei"
    message = {"version": 1, "job": "j", "store": "file:///s", "tomorrow": True}
    assert parse(AssembleRequest, message, extra="ignore").job == "j"
    with pytest.raises(InvalidMessage, match="spede"):  # people write these: it may be a misspelt field
        parse(SynthesizeRequest, {"text": "はい", "speaker": "mei", "store": "file:///s", "spede": 2})
