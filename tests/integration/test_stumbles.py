"""Errors that nobody foresaw: the job ends, and names the line; nothing loops, nothing hangs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from redis import Redis

from engine.audio import Audio
from engine.marks import Mark, Marks
from engine.request import Request
from engine.speaker import Speaker
from tasks import fleet, synthesis
from tasks.assembly import assemble_job
from tasks.contracts import AssembleRequest, PlannedSpeaker
from tasks.delayed import Message
from tasks.guard import Guard
from tasks.leases import Leases
from tasks.ledger import Ledger, State
from tasks.planning import Target
from tasks.policy import MAX_HEADLESS_STRIKES
from tasks.runtime import Runtime, install
from tasks.script import Passage, Script
from tasks.stores.base import Store
from tasks.stores.uri import open_store
from tasks.submission import Wishes, submit
from tests.servers.redis import RedisServer

RATE = 24_000


class Stumbling:
    """A voice with a defect: it raises what no engine should on a text with 「転」 in it."""

    name, revision, styles, sample_rate_hz = "mei", "m1", ("Neutral",), RATE

    def render(self, requests: Sequence[Request]) -> Iterator[Audio]:
        for request in requests:
            if "転" in request.text:
                raise RuntimeError("an index is out of range")
            marks = (Mark(request.text, 0.0, 0.5, "mei"),)
            yield Audio(np.full(RATE // 2, 0.1, np.float32), RATE, Marks(marks, (), marks, marks))


@pytest.fixture
def runtime(redis_server: RedisServer, tmp_path: Path) -> Iterator[Runtime]:
    redis: Redis = Redis.from_url(redis_server.url)
    sent: list[Message] = []
    made = Runtime(
        redis=redis,
        ledger=Ledger(redis),
        leases=Leases(redis, 30),
        speakers={"mei": cast(Speaker, Stumbling())},
        engine_revision="e1",
        open_store=lambda uri: open_store(uri),
        send=sent.append,
        drain_deadline=lambda: None,
        work_dir=tmp_path,
    )
    install(made)
    fleet.announce(
        redis,
        fleet.Announcement("w", "e1", 1, True, (fleet.ServedSpeaker("mei", ("Neutral",), RATE, "m1", 10.0),)),
    )
    yield made
    redis.close()


def job_of(runtime: Runtime, store: Store, text: str, *, partial: bool = False) -> str:
    targets = {"mei": Target(PlannedSpeaker(model_revision="m1", sample_rate_hz=RATE), "e1", ("Neutral",), 10.0)}
    script = Script([Passage(text, "mei", line=7)])
    return submit(runtime.redis, store, runtime.send, "job", script, Wishes(partial=partial), targets).job


def run_what_was_sent(runtime: Runtime) -> None:
    sent = cast(Any, runtime.send).__self__
    while sent:
        message = sent.pop(0)
        if message.task == synthesis.SYNTHESIZE_CHUNK:
            synthesis.synthesize_chunk.apply(args=[message.request], task_id=message.task_id)
        else:
            assemble_job(runtime, AssembleRequest(**message.request), Guard(runtime, "", "", message.request["job"]))


def test_a_segment_that_the_engine_stumbles_over_is_named_and_the_rest_is_spoken(
    runtime: Runtime, tmp_path: Path
) -> None:
    store = open_store((tmp_path / "store").as_uri())
    job = job_of(runtime, store, "一つ目です。ここで転びます。三つ目です。", partial=True)
    run_what_was_sent(runtime)
    assert runtime.ledger.state(job) is State.PARTIAL
    (evidence,) = runtime.ledger.dead(job).values()
    assert (evidence["text"], evidence["line"]) == ("ここで転びます。", 7)
    assert "an index is out of range" in evidence["reason"]
    assert len(list(store.list("segments/"))) == 4


def test_by_default_such_a_job_fails_and_keeps_everything(runtime: Runtime, tmp_path: Path) -> None:
    store = open_store((tmp_path / "store").as_uri())
    job = job_of(runtime, store, "一つ目です。ここで転びます。三つ目です。")
    run_what_was_sent(runtime)
    entry = runtime.ledger.entry(job)
    assert entry.state is State.FAILED
    assert "line 7" in entry.error
    assert not list(store.list(f"jobs/{job}/out/"))
    assert len(list(store.list("segments/"))) == 4


def test_a_defect_outside_of_any_segment_ends_the_job_after_some_tries(
    runtime: Runtime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = open_store((tmp_path / "store").as_uri())
    job = job_of(runtime, store, "一つ目です。")

    def broken(*_: object) -> None:
        raise KeyError("a defect of ours")

    monkeypatch.setattr(synthesis, "finish_chunk", broken)
    message = cast(Any, runtime.send).__self__[0]
    for _ in range(MAX_HEADLESS_STRIKES):
        assert runtime.ledger.state(job) is State.RUNNING
        synthesis.synthesize_chunk.apply(args=[message.request], task_id=message.task_id)
    entry = runtime.ledger.entry(job)
    assert entry.state is State.FAILED
    assert "KeyError" in entry.error
