"""The whole path with a real S3 API as the store."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest
from typer.testing import CliRunner

from koebin.producers.cli import app
from koebin.producers.client import Client
from koebin.producers.exits import UNAVAILABLE
from koebin.tasks.contracts import Output
from koebin.tasks.jobs.ledger import State
from koebin.tasks.jobs.submission import JobOptions
from koebin.tasks.settings import Settings
from tests.integration.queue_texts import CAT, CAT_SENTENCES
from tests.servers.redis import RedisServer
from tests.servers.s3 import S3Server
from tests.servers.waiting import PATIENCE
from tests.servers.worker import Worker

pytestmark = pytest.mark.xdist_group("queue-s3")


@pytest.fixture(scope="module")
def settings(server: RedisServer, s3_server: S3Server) -> dict[str, str]:
    return {"broker_url": server.url, **s3_server.settings()}


@pytest.fixture(scope="module")
def client(settings: dict[str, str]) -> Iterator[Client]:
    with (
        Worker(settings["broker_url"], settings["store"], settings=settings),
        Client(settings=Settings(**settings)) as connected,  # type: ignore[arg-type]
    ):
        yield connected


def test_a_job_ends_in_the_bucket_and_a_second_one_makes_nothing(client: Client, settings: dict[str, str]) -> None:
    job_options = JobOptions(Output(formats=("mp3", "flac"), subtitles=("srt",)))
    first = client.wait(client.submit(CAT, job_options=job_options), PATIENCE)
    assert first.state is State.SUCCEEDED, first.error
    assert first.result is not None
    assert first.result.uri.startswith(settings["store"] + "/jobs/")
    second = client.wait(client.submit(CAT, job_options=job_options), PATIENCE).result
    assert second is not None
    assert second.sha256 == first.result.sha256
    assert second.segments.reused == second.segments.total == CAT_SENTENCES


def test_a_signed_address_lets_anyone_read(client: Client) -> None:
    result = client.result(client.wait(client.submit(CAT), PATIENCE).job)
    with urllib.request.urlopen(client.presign(result.uri, 60)) as response:
        assert len(response.read()) == result.bytes
    key = result.uri.removeprefix(client.store.uri + "/")
    with pytest.raises(urllib.error.HTTPError):
        urllib.request.urlopen(f"{client.presign(result.uri, 60).partition('?')[0]}?x={key}")


def test_wrong_credentials_are_refused_before_anything_is_queued(
    settings: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    text = tmp_path_factory.mktemp("text") / "a.txt"
    text.write_text(CAT, encoding="utf-8")
    for name, value in {**settings, "s3_secret_access_key": "not-the-secret"}.items():
        monkeypatch.setenv(f"KOEBIN_{name.upper()}", value)
    done = CliRunner().invoke(app, ["narrate", str(text)])
    assert done.exit_code == UNAVAILABLE
    assert "not-the-secret" not in done.output
    assert "Traceback" not in done.output
    with Client(settings=Settings(**settings)) as client:  # type: ignore[arg-type]
        assert not [job for job in client.ledger.live() if client.status(job).title == "a"]
