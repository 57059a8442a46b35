"""The whole path: a real broker, a real prefork worker in processes of its own, a real store."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis

from koebin.engine.audio.encoding import decode_segment
from koebin.engine.errors import JobCancelled, JobConflict, SpeakerNotServed, UnknownSpeaker, UnknownStyle
from koebin.engine.options import SynthesisOptions
from koebin.producers.client import Client
from koebin.tasks.contracts import Output
from koebin.tasks.jobs.ledger import State
from koebin.tasks.jobs.submission import JobOptions
from koebin.tasks.script import Passage, Script
from koebin.tasks.settings import Settings
from koebin.worker.exits import ENGINE
from tests.integration.queue_texts import CAT, CAT_SENTENCES, numbered
from tests.servers.redis import RedisServer
from tests.servers.waiting import PATIENCE, wait_until
from tests.servers.worker import Worker

pytestmark = pytest.mark.xdist_group("queue")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> str:
    return tmp_path_factory.mktemp("store").as_uri()


@pytest.fixture(scope="module")
def worker(server: RedisServer, store: str) -> Iterator[Worker]:
    with Worker(server.url, store, "mei,ken", settings={"visibility_timeout": 4, "sweep_interval": 0.5}) as running:
        yield running


@pytest.fixture
def client(server: RedisServer, store: str, worker: Worker) -> Iterator[Client]:
    with Client(settings=Settings(broker_url=server.url, store=store)) as connected:
        yield connected


def path_of(uri: str) -> Path:
    return Path(uri.removeprefix("file://"))


def test_every_sentence_is_in_the_audio_in_order(client: Client) -> None:
    outcome = client.wait(client.submit(CAT), PATIENCE)
    assert outcome.state is State.SUCCEEDED
    assert outcome.result is not None
    assert outcome.result.segments.total == CAT_SENTENCES
    marks = json.loads(path_of(outcome.result.marks_uri).read_text())
    sentences = marks["sentences"]
    assert "".join(mark["text"] for mark in sentences) == CAT
    assert all(mark["speaker"] == "mei" for mark in sentences)
    starts = [mark["start"] for mark in sentences]
    assert starts == sorted(starts)
    audio = decode_segment(path_of(outcome.result.uri).read_bytes())
    assert audio.duration_seconds == pytest.approx(outcome.result.duration_seconds, abs=1e-4)
    assert sentences[-1]["end"] <= audio.duration_seconds + 1e-3


def test_the_second_run_makes_nothing_again_and_gives_the_same_bytes(client: Client) -> None:
    text = numbered(12)
    first = client.wait(client.submit(text), PATIENCE).result
    second = client.wait(client.submit(text), PATIENCE).result
    assert first is not None
    assert second is not None
    assert first.sha256 == second.sha256
    assert second.segments.reused == second.segments.total == 12


def test_a_changed_sentence_is_the_only_one_made(client: Client) -> None:
    client.wait(client.submit(numbered(20)), PATIENCE)
    changed = client.wait(client.submit(numbered(20).replace("これは7番目", "それが7番目")), PATIENCE).result
    assert changed is not None
    assert changed.segments.total - changed.segments.reused == 1


def test_a_dialogue_keeps_its_order_and_its_voices(client: Client) -> None:
    passages = [Passage(f"これは{n}行目です。", "mei" if n % 2 else "ken", line=n) for n in range(1, 9)]
    outcome = client.wait(client.submit(Script(passages)), PATIENCE)
    assert outcome.result is not None
    marks = json.loads(path_of(outcome.result.marks_uri).read_text())["sentences"]
    assert [(mark["text"], mark["speaker"]) for mark in marks] == [(p.text, p.speaker) for p in passages]


def test_the_same_id_is_the_same_job(client: Client) -> None:
    job = client.submit("同じ仕事です。", job_id="same")
    client.wait(job, PATIENCE)
    before = client.ledger.entry(job)
    assert client.submit("同じ仕事です。", job_id="same") == job
    assert client.ledger.entry(job) == before
    with pytest.raises(JobConflict, match="another content"):
        client.submit("別の仕事です。", job_id="same")


def test_bad_input_is_refused_before_anything_is_queued(client: Client) -> None:
    before = client.ledger.live()
    with pytest.raises(UnknownSpeaker, match="mei"):
        client.submit("こんにちは。", speaker="mey")
    with pytest.raises(SpeakerNotServed, match="koebin worker"):
        client.submit("こんにちは。", speaker="jvnv-F1-jp")
    with pytest.raises(UnknownStyle, match="Neutral"):
        client.submit("こんにちは。", options=SynthesisOptions(style="Angry"))
    assert client.ledger.live() == before


def test_cancel_stops_and_assembles_nothing(client: Client, store: str) -> None:
    job = client.submit(numbered(400))
    wait_until(lambda: client.status(job).chunks_done >= 1)
    assert client.cancel(job) is State.CANCELLED
    assert client.wait(job, PATIENCE).state is State.CANCELLED
    with pytest.raises(JobCancelled):
        client.result(job)
    assert not path_of(f"{store}/jobs/{job}/out").exists()
    after = client.wait(client.submit("次の仕事です。"), PATIENCE)
    assert after.state is State.SUCCEEDED


def test_any_celery_client_may_send_a_text(client: Client, store: str) -> None:
    request = {"text": "こんにちは。", "speaker": "ken", "store": store, "format": "mp3"}
    result = client.app.send_task("koebin.synthesize", args=[request], queue="speaker.ken").get(timeout=PATIENCE)
    assert path_of(result["uri"]).stat().st_size == result["bytes"]
    assert result["segments"] == {"total": 1, "reused": 0}


def test_a_store_outside_of_the_roots_is_refused(client: Client, tmp_path: Path) -> None:
    request = {"text": "こんにちは。", "speaker": "mei", "store": tmp_path.as_uri()}
    sent = client.app.send_task("koebin.synthesize", args=[request], queue="speaker.mei")
    with pytest.raises(Exception, match="must not write to that store"):
        sent.get(timeout=PATIENCE)
    assert not list(tmp_path.iterdir())


def test_what_is_left_behind(client: Client, server: RedisServer) -> None:
    """Nothing pending, leased or unacknowledged after a job."""
    client.wait(client.submit("片付けの試験です。", job_options=JobOptions(Output(formats=("wav",)))), PATIENCE)
    redis: Redis = Redis.from_url(server.url)
    wait_until(lambda: not redis.keys("koebin:lease:*"), what="a lease is left")
    wait_until(lambda: not redis.exists("koebin.unacked"), what="a message is left unacknowledged")
    assert not redis.keys("speaker.*")
    assert not redis.keys("koebin:attempt:*")


def test_each_worker_consumes_its_own_queues(server: RedisServer, store: str, client: Client) -> None:
    with Worker(server.url, store, "hina", assemble=False):
        job = client.submit([Passage("メイです。", "mei"), Passage("ヒナです。", "hina")])
        assert client.wait(job, PATIENCE).state is State.SUCCEEDED
        everything = {"speaker.mei", "speaker.ken", "speaker.hina", "assemble"}
        asked: dict[str, list[dict[str, str]]] = {}

        def all_answer() -> bool:
            """A worker of the test before this one may still answer."""
            asked.clear()
            asked.update(client.app.control.inspect(limit=2, timeout=PATIENCE).active_queues() or {})
            return {name for names in _names(asked) for name in names} == everything

        wait_until(all_answer, what="not all queues are consumed")
    consumers = asked
    assert all("speaker.hina" not in names or names == {"speaker.hina"} for names in _names(consumers))


def _names(consumers: dict[str, list[dict[str, str]]]) -> list[set[str]]:
    return [{queue["name"] for queue in queues} for queues in consumers.values()]


@pytest.mark.slow
def test_a_worker_whose_engine_cannot_be_built_takes_no_task(server: RedisServer, store: str) -> None:
    with Worker(server.url, store, "ghost=file:///nowhere/at/all").start(ready=False) as broken:
        assert broken.process.wait(PATIENCE) == ENGINE
        assert "ghost" in broken.text()
        assert "Traceback" not in broken.text()
