"""Errors that nobody foresaw: the job ends, and names the line; nothing loops, nothing hangs."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
from redis import Redis

from koebin.engine.audio.audio import Audio
from koebin.engine.errors import InvalidMessage, KoebinError, StoreUnavailable
from koebin.engine.request import Request
from koebin.tasks import celery_tasks
from koebin.tasks.assembly.job import assemble_job
from koebin.tasks.contracts import AssembleRequest, SegmentCounts, SynthesizeRequest
from koebin.tasks.errors_table import TRIES
from koebin.tasks.jobs.dead_letters import DeadLetters
from koebin.tasks.jobs.dispatch import assemble_message
from koebin.tasks.jobs.ledger import State
from koebin.tasks.jobs.outcome import JobOutcome, store_outcome, stored_outcome
from koebin.tasks.jobs.submission import JobOptions, submit
from koebin.tasks.running.cancellation import Guard
from koebin.tasks.running.render_together import render_together
from koebin.tasks.running.runtime import Runtime
from koebin.tasks.running.text import synthesize_text
from koebin.tasks.script import Passage, Script
from koebin.tasks.stores.base import Store
from koebin.tasks.stores.uri import open_store
from tests.integration.toy_voice import TARGET, ToyVoice, toy_runtime
from tests.servers.redis import RedisServer


@pytest.fixture
def runtime(redis_server: RedisServer, tmp_path: Path) -> Iterator[Runtime]:
    redis: Redis = Redis.from_url(redis_server.url)
    yield toy_runtime(redis, tmp_path, [])
    redis.close()


def job_of(runtime: Runtime, store: Store, text: str, *, partial: bool = False) -> str:
    targets = {"mei": TARGET}
    script = Script([Passage(text, "mei", line=7)])
    return submit(runtime.redis, store, runtime.send, "job", script, JobOptions(partial=partial), targets).job


def run_what_was_sent(runtime: Runtime) -> None:
    sent = cast(Any, runtime.send).__self__
    while sent:
        message = sent.pop(0)
        if message.task == celery_tasks.SYNTHESIZE_CHUNK:
            celery_tasks.synthesize_chunk.apply(args=[message.request], task_id=message.task_id)
        else:
            assemble_job(runtime, AssembleRequest(**message.request), lambda: None)


def test_a_segment_that_the_engine_stumbles_over_is_named_and_the_rest_is_spoken(
    runtime: Runtime, tmp_path: Path
) -> None:
    store = open_store((tmp_path / "store").as_uri())
    job = job_of(runtime, store, "一つ目です。ここで転びます。三つ目です。", partial=True)
    run_what_was_sent(runtime)
    assert runtime.ledger.state(job) is State.PARTIAL
    (evidence,) = DeadLetters(runtime.redis).of(job).values()
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


def test_a_list_of_which_nothing_can_be_spoken_fails_and_says_how_much_that_was(
    runtime: Runtime, tmp_path: Path
) -> None:
    store = open_store((tmp_path / "store").as_uri())
    script = Script([Passage("ここで転びます。", "mei", line=1, item="a")], items=True)
    submit(runtime.redis, store, runtime.send, "job", script, JobOptions(partial=True), {"mei": TARGET})
    run_what_was_sent(runtime)
    outcome = stored_outcome(store, "job")
    assert outcome is not None
    assert (outcome.state, outcome.error) == (State.FAILED, "no item could be spoken")
    assert outcome.segments.total == 1


def test_a_defect_outside_of_any_segment_ends_the_job_after_some_tries(
    runtime: Runtime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = open_store((tmp_path / "store").as_uri())
    job = job_of(runtime, store, "一つ目です。")

    def broken(*_: object) -> None:
        raise KeyError("a defect of ours")

    monkeypatch.setattr(celery_tasks, "finish_chunk", broken)
    message = cast(Any, runtime.send).__self__[0]
    for _ in range(TRIES):
        assert runtime.ledger.state(job) is State.RUNNING
        celery_tasks.synthesize_chunk.apply(args=[message.request], task_id=message.task_id)
    entry = runtime.ledger.entry(job)
    assert entry.state is State.FAILED
    assert "KeyError" in entry.error


@contextmanager
def takes_no_writes(redis: Redis) -> Iterator[None]:
    redis.config_set("maxmemory", "1")
    try:
        yield
    finally:
        redis.config_set("maxmemory", "0")


@pytest.mark.parametrize(
    ("trouble", "end"),
    [
        (StoreUnavailable("the store does not answer", ""), State.SUCCEEDED),
        (InvalidMessage("rubbish", ""), State.FAILED),
    ],
)
def test_a_chunk_whose_trouble_cannot_be_noted_goes_back(
    runtime: Runtime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trouble: KoebinError, end: State
) -> None:
    """Neither that it is tried later nor that its job has failed: Redis takes nothing."""

    def troubled(*_: object) -> None:
        raise trouble

    job = job_of(runtime, open_store((tmp_path / "store").as_uri()), "一つ目です。")
    message = cast(Any, runtime.send).__self__[0]
    monkeypatch.setattr(celery_tasks, "open_chunk", troubled)
    with takes_no_writes(runtime.redis):
        ended = celery_tasks.synthesize_chunk.apply(args=[message.request], task_id=message.task_id)
    assert (ended.state, ended.result.requeue) == ("REJECTED", True)
    assert runtime.ledger.state(job) is State.RUNNING
    if end is State.SUCCEEDED:
        monkeypatch.undo()
    run_what_was_sent(runtime)
    assert runtime.ledger.state(job) is end


def test_an_assembly_whose_end_cannot_be_noted_goes_back(runtime: Runtime, tmp_path: Path) -> None:
    job = job_of(runtime, open_store((tmp_path / "store").as_uri()), "一つ目です。")
    message = cast(Any, runtime.send).__self__.pop(0)
    celery_tasks.synthesize_chunk.apply(args=[message.request], task_id=message.task_id)
    message = cast(Any, runtime.send).__self__.pop(0)
    with takes_no_writes(runtime.redis):
        ended = celery_tasks.assemble.apply(args=[message.request], task_id=message.task_id)
    assert (ended.state, ended.result.requeue) == ("REJECTED", True)
    assert runtime.ledger.state(job) is State.ASSEMBLING
    celery_tasks.assemble.apply(args=[message.request], task_id=message.task_id)
    assert runtime.ledger.state(job) is State.SUCCEEDED


@pytest.mark.parametrize("place", ["open_store", "render"])
def test_a_text_over_which_planning_stumbles_leaves_its_neighbours_together(
    runtime: Runtime, tmp_path: Path, place: str
) -> None:
    def broken(uri: str) -> Store:
        if uri == "file:///broken":
            raise RuntimeError("a defect of ours")
        return open_store(uri)

    store = (tmp_path / "store").as_uri()
    texts = [{"text": text, "speaker": "mei", "store": store} for text in ("朝の港です。", "夜の港です。")]
    bad = {"text": "昼の港です。", "speaker": "mei", "store": "file:///broken" if place == "open_store" else store}
    speaker = Suspicious() if place == "render" else runtime.speakers["mei"]
    odd = replace(runtime, open_store=broken, speakers={"mei": cast(Any, speaker)})
    assert [len(made) for made in render_together(odd, [texts[0], bad, texts[1]])] == [1, 0, 1]


class Suspicious(ToyVoice):
    """Its check of what it is asked for has a defect."""

    def render(self, requests: Sequence[Request]) -> Iterator[Audio]:
        if any("昼" in request.text for request in requests):
            raise RuntimeError("an index is out of range")
        return super().render(requests)


def test_what_was_cancelled_is_not_assembled_though_redis_forgot_it(runtime: Runtime, tmp_path: Path) -> None:
    store = open_store((tmp_path / "store").as_uri())
    job = job_of(runtime, store, "一つ目です。")
    message = cast(Any, runtime.send).__self__.pop(0)
    celery_tasks.synthesize_chunk.apply(args=[message.request], task_id=message.task_id)
    store_outcome(store, JobOutcome(job=job, state=State.CANCELLED))
    runtime.ledger.forget(job)
    run_what_was_sent(runtime)
    assert not list(store.list(f"jobs/{job}/out/"))
    outcome = stored_outcome(store, job)
    assert outcome is not None
    assert outcome.state is State.CANCELLED


def test_what_a_text_says_twice_is_made_once_and_the_second_time_reused(runtime: Runtime, tmp_path: Path) -> None:
    text = SynthesizeRequest(text="はい。いいえ。はい。", speaker="mei", store=(tmp_path / "store").as_uri())
    guard = Guard(runtime, "", "", "")
    assert synthesize_text(runtime, text, guard).segments == SegmentCounts(total=3, reused=1)
    assert synthesize_text(runtime, text, guard).segments == SegmentCounts(total=3, reused=3)
    (made,) = render_together(runtime, [text.model_copy(update={"text": "いいえ。または。"}).model_dump()])
    other = text.model_copy(update={"text": "いいえ。または。"})
    assert synthesize_text(runtime, other, guard, made).segments == SegmentCounts(total=2, reused=1)


def test_an_assembly_that_is_put_off_keeps_its_priority(
    runtime: Runtime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unavailable(*_: object) -> None:
        raise StoreUnavailable("the store does not answer", "")

    job = job_of(runtime, open_store((tmp_path / "store").as_uri()), "一つ目です。")
    runtime.ledger.mark_done(job, 0, "mei")
    message = assemble_message(runtime.ledger.entry(job))
    monkeypatch.setattr(celery_tasks, "assemble_job", unavailable)
    celery_tasks.assemble.apply(args=[message.request], task_id=message.task_id, priority=3)
    (row,) = runtime.redis.zrange("koebin:delayed", 0, -1)
    assert json.loads(row) == ["koebin.assemble", message.task_id, message.request, "assemble", 3]
