"""An older release beside today's, while books are made: its producers, its workers, and the bytes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from koebin.engine.errors import BackendMissing
from koebin.producers.client import Client
from koebin.tasks.contracts import Output
from koebin.tasks.jobs.ledger import State
from koebin.tasks.jobs.submission import JobOptions
from koebin.tasks.settings import Settings
from tests.integration.queue_texts import numbered
from tests.servers.older_release import OlderRelease, missing_reason, older_release
from tests.servers.redis import RedisServer
from tests.servers.waiting import PATIENCE, wait_until
from tests.servers.worker import Worker

pytestmark = [
    pytest.mark.slow,
    pytest.mark.process,
    pytest.mark.xdist_group("older"),
    pytest.mark.skipif(bool(missing_reason()), reason=missing_reason() or "-"),
]

FAST: Mapping[str, Any] = {"visibility_timeout": 4, "sweep_interval": 0.3}
FORMATS = ("wav", "mp3")
BOOK = numbered(60)


@pytest.fixture(scope="module")
def older() -> Iterator[OlderRelease]:
    with older_release() as release:
        yield release


class Site:
    """A broker and a store, with workers of either release."""

    def __init__(self, stack: ExitStack, older: OlderRelease, folder: Path) -> None:
        self.stack, self.older = stack, older
        self.server = stack.enter_context(RedisServer())
        self.settings = {**FAST, "broker_url": self.server.url, "store": folder.as_uri()}
        self.client = stack.enter_context(Client(settings=Settings(**self.settings)))

    def new(self, speakers: str = "mei", *, assemble: bool = True) -> Worker:
        worker = Worker(self.server.url, self.settings["store"], speakers, assemble=assemble, settings=FAST)
        return self.stack.enter_context(worker)

    def old(self, speakers: str = "mei", *, assemble: bool = True) -> Worker:
        worker = self.older.worker(self.server.url, self.settings["store"], speakers, assemble=assemble, settings=FAST)
        return self.stack.enter_context(worker)

    def submit_old(self, text: str, job: str) -> str:
        return self.older.submit(self.settings, text, job=job, formats=FORMATS)

    def submit_new(self, text: str, job: str) -> str:
        return self.client.submit(text, job_id=job, job_options=JobOptions(Output(formats=FORMATS)))

    def digests(self, job: str) -> dict[str, str]:
        """SHA-256 of the job's audio files, read where they lie."""
        outcome = self.client.wait(job, PATIENCE)
        assert outcome.state is State.SUCCEEDED, outcome
        audio = [file for file in outcome.files if file.kind == "audio"]
        return {
            file.format: hashlib.sha256(Path(file.uri.removeprefix("file://")).read_bytes()).hexdigest()
            for file in audio
        }


@pytest.fixture
def sites(older: OlderRelease, tmp_path: Path) -> Iterator[tuple[Site, Site]]:
    """Two sites that know nothing of each other: what is made in one without disturbance is held against the other."""
    with ExitStack() as stack:
        yield Site(stack, older, tmp_path / "calm"), Site(stack, older, tmp_path / "upgraded")


@pytest.mark.parametrize("assembler", ["older", "newer"])
def test_a_book_of_the_older_release_survives_an_upgrade_and_the_way_back(
    assembler: str, sites: tuple[Site, Site]
) -> None:
    calm, upgraded = sites
    calm.old()
    calm.submit_old(BOOK, "book")

    first = upgraded.old(assemble=assembler == "older")
    upgraded.submit_old(BOOK, "book")
    wait_until(lambda: upgraded.client.status("book").chunks_done >= 1, what=first.text)
    newer = upgraded.new(assemble=assembler == "newer")
    assert first.stop() == 0
    wait_until(lambda: "needs a worker for mei" in upgraded.client.status("book").waiting, what=newer.text)
    if assembler == "newer":
        upgraded.submit_old("新しい働き手に頼みます。", "asked-meanwhile")
        assert upgraded.older.wait(upgraded.settings, "asked-meanwhile")["state"] == "SUCCEEDED"

    back = upgraded.old(assemble=assembler == "older")
    assert upgraded.older.wait(upgraded.settings, "book")["state"] == "SUCCEEDED"
    assert upgraded.digests("book") == calm.digests("book")
    for worker in (first, newer, back):
        assert "Traceback" not in worker.text()


@pytest.mark.parametrize("assembler", ["older", "newer"])
def test_a_book_of_today_is_made_beside_older_workers(assembler: str, sites: tuple[Site, Site]) -> None:
    calm, upgraded = sites
    calm.new()
    calm.submit_new(BOOK, "book")
    calm.submit_new("短い仕事です。", "short")

    newer = upgraded.new(assemble=assembler == "newer")
    upgraded.submit_new(BOOK, "book")
    old = upgraded.old("ken", assemble=assembler == "older")  # it is there before the end, and searches for lost work
    upgraded.submit_new("短い仕事です。", "short")
    for job in ("book", "short"):
        assert upgraded.digests(job) == calm.digests(job)
    commands = (["status", "book"], ["jobs"], ["backlog"])
    for command in commands:
        done = upgraded.older.koebin(upgraded.settings, *command)
        assert done.returncode == 0, done.stderr
    for worker in (newer, old):
        assert "Traceback" not in worker.text()


def test_texts_and_jobs_go_to_whoever_is_there(sites: tuple[Site, Site]) -> None:
    _, site = sites
    workers = site.old("mei,ken"), site.new("mei,ken")
    texts = [
        site.client.app.send_task(
            "koebin.synthesize",
            args=[{"text": f"{number}番目の短い文です。", "speaker": "mei", "store": site.settings["store"]}],
            queue="speaker.mei",
        )
        for number in range(12)
    ]
    jobs = [site.submit_old("古い仕事です。", f"old-{number}") for number in range(3)]
    jobs += [site.submit_new("新しい仕事です。", f"new-{number}") for number in range(3)]
    assert all(text.get(timeout=PATIENCE)["uri"] for text in texts)
    assert [site.client.wait(job, PATIENCE).state for job in jobs] == [State.SUCCEEDED] * len(jobs)
    assert site.submit_new("古い仕事です。", "old-0") == "old-0", "the same job for the producers of both"
    with pytest.raises(BackendMissing, match="older release and cannot do --epub"):
        site.client.submit("本です。", job_options=JobOptions(Output(formats=("mp3",), epub=True)))
    for worker in workers:
        assert "Traceback" not in worker.text()
