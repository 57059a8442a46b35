"""A remote voice through the queue: made once, resumed, credited; its key is nowhere to be seen."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from koebin.producers.client import Client
from koebin.tasks.contracts import Output
from koebin.tasks.jobs.ledger import State
from koebin.tasks.jobs.submission import JobOptions
from koebin.tasks.settings import Settings
from tests.integration.queue_texts import numbered
from tests.servers.redis import RedisServer
from tests.servers.speech import SpeechServer, Trouble
from tests.servers.worker import Worker, wait_until

pytestmark = pytest.mark.xdist_group("queue")

KEY = "sk-planted-0123456789"


@pytest.fixture
def speech() -> Iterator[SpeechServer]:
    with SpeechServer() as server:
        server.key = KEY
        yield server


def serve(server: RedisServer, store: str, speech: SpeechServer, options: str) -> Worker:
    address = f"voicevox+{speech.url}?speaker=7&attempts=2&{options}"
    keys = f"{speech.place}={KEY}"
    settings = {"visibility_timeout": 4, "sweep_interval": 0.5, "voice_keys": keys}
    return Worker(server.url, store, f"rin={address}", settings=settings)


def test_a_job_is_spoken_by_a_server_each_sentence_once(
    server: RedisServer, store: str, speech: SpeechServer, tmp_path: Path
) -> None:
    text = numbered(20)
    with (
        serve(server, store, speech, "concurrency=2") as worker,
        Client(settings=Settings(broker_url=server.url, store=store)) as client,
    ):
        served = client.speakers()["rin"]
        assert (served.display_name, served.licence) == ("声の人", "利用規約")
        speech.spoken.clear()
        # Some requests fail in each way that may pass; each is asked for again within its chunk.
        for trouble in (
            Trouble("/synthesis", status=429, headers={"Retry-After": "0"}),
            Trouble("/synthesis", cut=500),
        ):
            speech.faults.append(trouble)
        job_options = JobOptions(Output(formats=("flac",), player=True))
        outcome = client.wait(client.submit(text, speaker="rin", job_options=job_options), 120)
        assert outcome.state is State.SUCCEEDED
        assert outcome.result is not None
        assert outcome.result.voices["rin"].display_name == "声の人"
        sentences = json.loads(Path(outcome.result.marks_uri.removeprefix("file://")).read_text())["sentences"]
        assert "".join(mark["text"] for mark in sentences) == text
        # A request whose answer was cut off was spoken twice by the server; nothing else was.
        made = Counter(speech.spoken)
        assert len(made) == 20
        assert sum(made.values()) <= 21
        again = client.wait(client.submit(text, speaker="rin", job_options=job_options), 120).result
        assert again is not None
        assert again.segments.reused == 20
        assert Counter(speech.spoken) == made
        page = next(path for path in Path(store.removeprefix("file://")).rglob("index.html"))
        assert "声の人 / 利用規約" in page.read_text()
        assert KEY not in worker.text()
        assert "audio_query" not in worker.text()  # its address holds the text
    assert not [path for path in Path(store.removeprefix("file://")).rglob("*") if has_key(path)]
    assert KEY not in str(outcome)


def has_key(path: Path) -> bool:
    return path.is_file() and KEY.encode() in path.read_bytes()


@pytest.mark.slow
def test_a_voice_that_changes_is_not_stored_as_the_old_one(
    server: RedisServer, store: str, speech: SpeechServer
) -> None:
    with (
        serve(server, store, speech, "check=0") as worker,
        Client(settings=Settings(broker_url=server.url, store=store)) as client,
    ):
        speech.owner = "somebody else"
        job = client.submit("声が変わりました。次の文です。", speaker="rin")
        wait_until(lambda: "has changed" in client.status(job).waiting, 60)
        assert not list(Path(store.removeprefix("file://")).rglob("segments/**/*.flac"))
        assert "Restart the worker" in worker.text()
        speech.owner = "somebody"
        assert client.wait(job, 120).state is State.SUCCEEDED
