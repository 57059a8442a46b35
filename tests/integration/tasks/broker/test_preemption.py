"""Preemption of a long chunk by urgent work: nothing is lost, counted against it or made twice."""

from __future__ import annotations

import hashlib
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
from celery import Celery
from celery.exceptions import Reject
from redis import Redis

from koebin.engine.audio.audio import Audio
from koebin.engine.models.base import Rendering, Utterance
from koebin.engine.models.hts.voice import BuiltinVoice
from koebin.engine.request import Request
from koebin.engine.tts import TTS
from koebin.producers.client import Client
from koebin.tasks import celery_tasks
from koebin.tasks.assembly import job
from koebin.tasks.assembly.programme import render_programme
from koebin.tasks.broker import preemption
from koebin.tasks.broker.celery_config import configure
from koebin.tasks.broker.delayed_messages import Message
from koebin.tasks.broker.fleet import Announcement, ServedSpeaker, announce
from koebin.tasks.broker.preemption import MAX_YIELDS, Preemption
from koebin.tasks.contracts import ASSEMBLE, SYNTHESIZE, SYNTHESIZE_CHUNK, PlannedSpeaker, SynthesizeRequest
from koebin.tasks.jobs import planning
from koebin.tasks.jobs.dead_letters import DeadLetters
from koebin.tasks.jobs.ledger import State
from koebin.tasks.jobs.planning import Target
from koebin.tasks.jobs.submission import JobOptions, submit
from koebin.tasks.redis_keys import priority_list, speaker_queue
from koebin.tasks.running.runtime import Runtime, install
from koebin.tasks.script import Passage, Script
from koebin.tasks.settings import Settings
from koebin.tasks.stores.uri import open_store
from tests.integration.queue_texts import numbered
from tests.integration.toy_voice import TARGET, ToyVoice, toy_runtime
from tests.servers.redis import RedisServer
from tests.servers.waiting import PATIENCE, wait_until
from tests.servers.worker import Worker

pytestmark = [pytest.mark.xdist_group("preemption")]

SENTENCES = 40
BATCH, BRIEFING, INTERACTIVE = 6, 3, 0


def outputs(folder: Path, job: str) -> dict[str, str]:
    """SHA-256 of every segment, and of everything that the job delivered but its result, which holds times."""
    files = [*folder.glob("segments/*/*"), *folder.glob(f"jobs/{job}/out/*")]
    found = {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
    return {name: digest for name, digest in found.items() if not name.endswith("result.json")}


@pytest.mark.slow
@pytest.mark.parametrize("threads", [1, 2])
def test_a_text_is_spoken_while_a_narration_is_in_its_only_chunk(
    redis_server: RedisServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, threads: int
) -> None:
    for name, one_chunk in (("_PARTS_OF_A_SMALL_JOB", 1), ("CHUNK_WALL_SECONDS", 600.0)):
        monkeypatch.setattr(planning, name, one_chunk)
    calm, busy, texts = (tmp_path / name for name in ("calm", "busy", "texts"))
    urgent = SynthesizeRequest(text="急ぎの一文です。", speaker="mei", store=texts.as_uri()).model_dump(mode="json")
    with (
        Worker(redis_server.url, busy.as_uri(), settings={"stores": tmp_path.as_uri(), "threads": threads}) as worker,
        Client(settings=Settings(broker_url=redis_server.url, store=calm.as_uri())) as undisturbed,
        Client(settings=Settings(broker_url=redis_server.url, store=busy.as_uri())) as client,
    ):
        assert (
            undisturbed.wait(undisturbed.submit(numbered(SENTENCES), job_id="book"), PATIENCE).state is State.SUCCEEDED
        )
        client.ledger.forget("book")
        job = client.submit(numbered(SENTENCES), job_id="book", priority="batch")
        for _ in range(2):
            made = len(list(busy.glob("segments/*/*.flac")))
            wait_until(lambda made=made: len(list(busy.glob("segments/*/*.flac"))) > made)
            sent = client.app.send_task(SYNTHESIZE, args=[urgent], queue=speaker_queue("mei"), priority=INTERACTIVE)
            assert sent.get(timeout=PATIENCE)["uri"].startswith(texts.as_uri())
            assert client.status(job).chunks == 1
            assert client.status(job).chunks_done == 0, "the text waited for the whole chunk"
        assert not client.redis.hget(f"koebin:attempt:{job}/0", "strikes")
        outcome = client.wait(job, PATIENCE)
        assert outcome.state is State.SUCCEEDED
        assert (outcome.segments.total, outcome.segments.reused) == (SENTENCES, 0)
        assert client.status(job).rendered == SENTENCES
        assert not DeadLetters(client.redis).of(job)
        assert worker.text().count("preempted by more urgent work") >= 2
        wait_until(lambda: not client.redis.keys("koebin:lease:*") and not client.redis.exists("koebin.unacked"))
        assert not client.redis.keys("koebin:attempt:*")
    assert outputs(busy, "book") == outputs(calm, "book")


@pytest.fixture
def runtime(redis_server: RedisServer, tmp_path: Path) -> Iterator[Runtime]:
    redis: Redis = Redis.from_url(redis_server.url)
    yield toy_runtime(redis, tmp_path, [])
    redis.close()


def test_a_chunk_that_is_disturbed_for_ever_ends_all_the_same(runtime: Runtime, tmp_path: Path) -> None:
    """Every run stores one segment more, also one that speaks its sentences alone; the last one ends the chunk."""
    store = open_store((tmp_path / "store").as_uri())
    install(replace(runtime, more_urgent=lambda priority: priority > INTERACTIVE))
    text = "".join(f"{number}番です。" for number in range(12))
    submit(
        runtime.redis,
        store,
        runtime.send,
        "job",
        Script([Passage(text, "mei")]),
        JobOptions(priority=BATCH),
        {"mei": TARGET},
    )
    (message,) = [sent for sent in cast(Any, runtime.send).__self__ if sent.task == SYNTHESIZE_CHUNK]
    for run in range(1, 12):
        if run == 6:
            runtime.leases.isolate(message.task_id)
        with pytest.raises(Reject) as given_back:
            run_once(message)
        assert given_back.value.requeue
        assert len(list((tmp_path / "store").glob("segments/*/*.flac"))) == run
    run_once(message)
    entry = runtime.ledger.entry("job")
    assert (entry.state, entry.rendered, entry.reused) == (State.ASSEMBLING, 12, 0)
    assert entry.seconds_done == pytest.approx(6.0)
    assert not runtime.redis.keys("koebin:attempt:*")


class Held:
    """The built-in voice, which does not end a sentence with 本 before ``released`` is set."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.released = threading.Event()
        self.begun: Counter[str] = Counter()
        speak = BuiltinVoice._speak

        def hold(voice: BuiltinVoice, utterance: Utterance) -> Rendering:
            text = utterance.analysis.text
            self.begun[text] += 1
            if "本" in text:
                assert self.released.wait(PATIENCE)
            return speak(voice, utterance)

        monkeypatch.setattr(BuiltinVoice, "_speak", hold)


def test_an_urgent_text_does_not_wait_for_the_end_of_a_sentence(
    runtime: Runtime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = open_store((tmp_path / "store").as_uri())
    held = Held(monkeypatch)
    monkeypatch.setattr(planning, "_PARTS_OF_A_SMALL_JOB", 1)
    with TTS("cpu", threads=2).load("mei").prepare(warmup=False) as tts:
        revision = tts.speakers["mei"].revision
        served = ServedSpeaker("mei", ("Neutral",), 48_000, revision, 10.0)
        announce(runtime.redis, Announcement("w", "e1", 1, True, (served,)))
        target = Target(PlannedSpeaker(model_revision=revision, sample_rate_hz=48_000), "e1", ("Neutral",), 10.0)
        script = Script([Passage("".join(f"本の{number}行目です。" for number in range(6)), "mei")])
        submit(runtime.redis, store, runtime.send, "job", script, JobOptions(priority=BATCH), {"mei": target})
        (chunk,) = [sent for sent in cast(Any, runtime.send).__self__ if sent.task == SYNTHESIZE_CHUNK]
        disturbed = replace(runtime, speakers=tts.speakers, more_urgent=lambda _: len(held.begun) >= 2)
        install(disturbed)
        for _ in range(2):
            with pytest.raises(Reject):
                run_once(chunk)
        assert held.begun.total() == 2
        request = SynthesizeRequest(text="急ぎの一文です。", speaker="mei", store=store.uri).model_dump(mode="json")
        assert run_once(Message(SYNTHESIZE, "text", request, speaker_queue("mei"), INTERACTIVE))["uri"]
        assert not held.released.is_set(), "it waited for the book's sentence"
        assert runtime.leases.attempt(chunk.task_id).yields == 2
        held.released.set()
        install(replace(disturbed, more_urgent=lambda _: False))
        run_once(chunk)
        assert set(held.begun.values()) == {1}, "a sentence was spoken twice"
        assert len(list(store.list("segments/"))) == 2 * len(held.begun)


def test_a_chunk_that_is_always_left_at_its_first_sentence_stores_one_all_the_same(
    runtime: Runtime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As if another process took it each time, where nothing runs that it could take over."""
    store = open_store((tmp_path / "store").as_uri())

    def render(voice: ToyVoice, requests: Sequence[Request], go_on: Callable[[], bool]) -> Iterator[Audio]:
        return speak(voice, requests, go_on) if go_on() else iter(())

    speak = ToyVoice.render
    monkeypatch.setattr(ToyVoice, "render", render)
    install(replace(runtime, more_urgent=lambda priority: priority > INTERACTIVE))
    script = Script([Passage("一番です。二番です。", "mei")])
    submit(runtime.redis, store, runtime.send, "job", script, JobOptions(priority=BATCH), {"mei": TARGET})
    (message,) = [sent for sent in cast(Any, runtime.send).__self__ if sent.task == SYNTHESIZE_CHUNK]
    for stored in (0, 1):
        for _ in range(MAX_YIELDS):
            with pytest.raises(Reject):
                run_once(message)
            assert len(list(store.list("segments/"))) == 2 * stored
        if not stored:
            with pytest.raises(Reject):
                run_once(message)
    run_once(message)
    assert runtime.ledger.entry("job").state is State.ASSEMBLING


def test_an_assembly_stands_still_for_an_urgent_text_and_goes_on(
    runtime: Runtime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = open_store((tmp_path / "store").as_uri())
    begun, released = [], threading.Event()

    def render(blocks: Any, wanted: Any, folder: Any, check: Callable[[], None], shelf: Any) -> Any:
        begun.append(folder)
        give_up = time.monotonic() + PATIENCE
        while not released.is_set():
            assert time.monotonic() < give_up, "nothing went past it"
            check()
            time.sleep(0.001)
        return render_programme(blocks, wanted, folder, check, shelf)

    monkeypatch.setattr(job, "render_programme", render)
    script = Script([Passage("一番です。二番です。", "mei")])
    submit(runtime.redis, store, runtime.send, "job", script, JobOptions(priority=BATCH), {"mei": TARGET})
    sent = cast(Any, runtime.send).__self__
    run_once(sent.pop())
    (assembly,) = sent
    install(replace(runtime, more_urgent=lambda _: bool(begun)))
    for _ in range(3):
        with pytest.raises(Reject) as given_back:
            run_once(assembly)
        assert given_back.value.requeue
    request = SynthesizeRequest(text="急ぎの一文です。", speaker="mei", store=store.uri).model_dump(mode="json")
    assert run_once(Message(SYNTHESIZE, "text", request, speaker_queue("mei"), INTERACTIVE))["uri"]
    assert runtime.ledger.state("job") is State.ASSEMBLING
    install(replace(runtime, more_urgent=lambda _: False))
    released.set()
    run_once(assembly)
    assert runtime.ledger.state("job") is State.SUCCEEDED
    assert len(begun) == 1, "it began anew"


def test_nothing_makes_way_once_its_worker_is_to_go(runtime: Runtime, tmp_path: Path) -> None:
    """Such a worker takes nothing else, and has time to end what it does."""
    going = replace(runtime, drain_deadline=lambda: time.monotonic() + 60)
    install(replace(going, more_urgent=lambda priority: priority > INTERACTIVE))
    request = SynthesizeRequest(text="一番です。二番です。", speaker="mei", store=(tmp_path / "store").as_uri())
    message = Message(SYNTHESIZE, "text", request.model_dump(mode="json"), speaker_queue("mei"), BATCH)
    assert run_once(message)["segments"] == {"total": 2, "reused": 0}


def test_a_single_text_of_low_priority_makes_way_as_well(runtime: Runtime, tmp_path: Path) -> None:
    install(replace(runtime, more_urgent=lambda priority: priority > INTERACTIVE))
    text = "一番です。二番です。三番です。"
    request = SynthesizeRequest(text=text, speaker="mei", store=(tmp_path / "store").as_uri()).model_dump(mode="json")
    message = Message(SYNTHESIZE, "text", request, speaker_queue("mei"), BATCH)
    for run in (1, 2):
        with pytest.raises(Reject) as given_back:
            run_once(message)
        assert given_back.value.requeue
        assert len(list((tmp_path / "store").glob("segments/*/*.flac"))) == run
    assert run_once(message)["segments"] == {"total": 3, "reused": 2}
    whole = (tmp_path / "store").glob("texts/*/*.flac")
    assert len(list(whole)) == 1


def run_once(message: Message) -> Any:
    """The task as a worker's process runs it."""
    task = {
        SYNTHESIZE: celery_tasks.synthesize,
        SYNTHESIZE_CHUNK: celery_tasks.synthesize_chunk,
        ASSEMBLE: celery_tasks.assemble,
    }[message.task]
    task.push_request(id=message.task_id, delivery_info={"priority": message.priority})
    try:
        return task.run(message.request)
    finally:
        task.pop_request()


@pytest.fixture
def looks(redis: Redis, monkeypatch: pytest.MonkeyPatch) -> list[Preemption]:
    """Of two processes that serve one speaker and assemble, and may look as often as they like."""
    monkeypatch.setattr(preemption, "_SECONDS_BETWEEN_LOOKS", 0.0)
    return [Preemption(redis, ["speaker.mei", "assemble"]) for _ in range(2)]


def lay(redis: Redis, queue: str, priority: int, message: str) -> None:
    redis.lpush(priority_list(queue, priority), message)


def test_only_what_is_more_urgent_and_served_here_counts(redis: Redis, looks: list[Preemption]) -> None:
    lay(redis, "speaker.ken", INTERACTIVE, "another worker's")
    lay(redis, "speaker.mei", BATCH, "a chunk")
    lay(redis, "assemble", BRIEFING, "a briefing")
    assert not looks[0].claim(INTERACTIVE)
    assert not looks[0].claim(BRIEFING)
    assert not looks[0].claim(4)  # of the same step
    assert looks[0].claim(BATCH)
    redis.delete(priority_list("assemble", BRIEFING))
    assert not looks[0].claim(BATCH)
    assert looks[0].claim(9)


def test_each_message_makes_one_process_give_way(redis: Redis, looks: list[Preemption]) -> None:
    one, other = looks
    lay(redis, "speaker.mei", INTERACTIVE, "a text")
    assert [one.claim(BATCH), other.claim(BATCH), one.claim(BATCH)] == [True, False, False]
    lay(redis, "speaker.mei", INTERACTIVE, "a second one")
    assert [other.claim(BATCH), one.claim(BATCH)] == [True, False]
    for member in redis.zrange("koebin:claims", 0, -1):
        redis.zincrby("koebin:claims", -10, member)  # whoever claimed it did not come
    assert one.claim(BATCH)
    assert 0 < redis.ttl("koebin:claims") <= 10


def test_equal_texts_are_two_messages(redis_server: RedisServer, redis: Redis, looks: list[Preemption]) -> None:
    """As Celery lays them: a message is told by its end, however long it is."""
    app = Celery("anybody")
    configure(app, broker=redis_server.url, result_backend=redis_server.url, visibility_timeout=30)
    for _ in range(2):
        app.send_task(SYNTHESIZE, args=[{"text": "長い文です。" * 1000}], queue="speaker.mei", priority=INTERACTIVE)
    assert [look.claim(BATCH) for look in (*looks, looks[0])] == [True, True, False]


def test_a_process_looks_no_more_often_than_allowed_and_goes_on_without_redis(
    redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preemption, "_SECONDS_BETWEEN_LOOKS", PATIENCE)
    redis: Redis = Redis.from_url(redis_server.url)
    look = Preemption(redis, ["speaker.mei"])
    lay(redis, "speaker.mei", INTERACTIVE, "a text")
    lay(redis, "speaker.mei", INTERACTIVE, "another")
    assert look.claim(BATCH)
    assert not look.claim(BATCH)
    monkeypatch.setattr(preemption, "_SECONDS_BETWEEN_LOOKS", 0.0)
    redis_server.stop()
    assert not look.claim(BATCH)
