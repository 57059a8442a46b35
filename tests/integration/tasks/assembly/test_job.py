"""A programme may take longer to assemble than a chunk may take to speak."""

from __future__ import annotations

from pathlib import Path

import pytest

from koebin.producers.client import Client
from koebin.tasks.contracts import Output
from koebin.tasks.jobs.ledger import State
from koebin.tasks.jobs.submission import JobOptions
from koebin.tasks.script import Passage, Script
from koebin.tasks.settings import Settings
from tests.servers.redis import RedisServer
from tests.servers.waiting import PATIENCE
from tests.servers.worker import Worker

SENTENCES = [f"これは{word}についての、少しばかり長い説明の文です。" for word in ("犬", "猫", "鳥", "魚", "花", "星")]


@pytest.mark.slow
def test_a_book_outlasts_the_time_limit_of_a_chunk(redis_server: RedisServer, tmp_path: Path) -> None:
    script = Script(tuple(Passage(sentence, "mei") for sentence in SENTENCES * 15))
    settings = Settings(broker_url=redis_server.url, store=tmp_path.as_uri())
    with (
        Worker(redis_server.url, tmp_path.as_uri(), "mei", assemble=False),
        Worker(redis_server.url, tmp_path.as_uri(), "", settings={"time_limit": 1}) as assembler,
        Client(settings=settings) as client,
    ):
        job = client.submit(
            script, job_options=JobOptions(output=Output(formats=("mp3", "m4b", "flac"), loudness_lufs=-18.0))
        )
        outcome = client.wait(job, timeout=PATIENCE)
        log = assembler.log.read_text()
    assert outcome.state is State.SUCCEEDED
    assert outcome.result is not None
    assert outcome.result.duration_seconds > 180
    assert "process lost" not in log
