"""Every line of a task says which task it is, in parent and child, and nothing of the text."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from koebin.producers.client import Client
from koebin.tasks.settings import Settings
from tests.servers.ports import free_ports, wait_for_port
from tests.servers.redis import RedisServer
from tests.servers.waiting import PATIENCE, wait_until
from tests.servers.worker import Worker

FAST = {"visibility_timeout": 30.0, "sweep_interval": 0.5, "log_format": "json"}


@pytest.fixture
def worker(redis_server: RedisServer, tmp_path: Path) -> Iterator[Worker]:
    with Worker(redis_server.url, (tmp_path / "store").as_uri(), settings=FAST) as running:
        yield running


def lines(worker: Worker) -> list[dict[str, object]]:
    return [json.loads(line) for line in worker.text().splitlines()]


TOOLS = {"CELERY_CONFIG_MODULE": "koebin.tasks.broker.celery_tools_config"}
"""So Celery's own tools speak with our workers, and not with those of other applications."""


@pytest.mark.slow
def test_lines_of_a_task_carry_job_chunk_speaker_and_task(
    worker: Worker, redis_server: RedisServer, tmp_path: Path
) -> None:
    text = "\n".join(
        f"{number}番目の内緒の文ですが、これは少し長いので、読み終えるまでに時間が掛かります。" for number in range(20)
    )
    settings = Settings(broker_url=redis_server.url, store=(tmp_path / "store").as_uri(), visibility_timeout=30.0)
    with Client(settings=settings) as client:
        job = client.submit(text, speaker="mei", job_id="logged")
        wait_until(lambda: any((tmp_path / "store" / "segments").rglob("*.flac")))  # a process is at a chunk
        worker.signal_child(signal.SIGKILL)
        client.wait(job, timeout=PATIENCE)
        store = next((tmp_path / "store" / "segments").rglob("*.flac"))
        store.with_suffix(".json").write_text("{}")  # what is stored is damaged: the assembly stumbles in the child
        client.submit(text, speaker="mei", job_id="again")
        with suppress(Exception):
            client.wait("again", timeout=PATIENCE)

    parent = [line for line in lines(worker) if line["process"] == worker.pid and "task_id" in line]
    child = [line for line in lines(worker) if line["process"] != worker.pid and "task_id" in line]
    (lost,) = [line for line in parent if str(line["message"]).startswith("pool process lost")]
    assert (lost["task_id"], lost["level"]) == (f"logged/{lost['chunk']}", "ERROR")
    received = [line for line in parent if str(line["message"]).endswith("received")]
    assert {line["job"] for line in received} == {"logged", "again"}
    succeeded = [line for line in child if "succeeded" in str(line["message"])]
    assert {"logged", "again"} <= {line["job"] for line in succeeded}
    chunks = [line for line in succeeded if "chunk" in line]
    assert chunks
    assert all(line["task_id"] == f"{line['job']}/{line['chunk']}" for line in chunks)
    assert "内緒" not in worker.text()


@pytest.mark.slow
def test_celerys_own_tools_see_the_worker(worker: Worker, redis_server: RedisServer) -> None:
    def celery(*arguments: str) -> str:
        command = [sys.executable, "-m", "celery", "--broker", redis_server.url, *arguments]
        environment = {**os.environ, **TOOLS}
        return subprocess.run(
            command, check=True, capture_output=True, text=True, timeout=PATIENCE, env=environment
        ).stdout

    # With a destination it returns as soon as that one has answered.
    inspect = ("inspect", "--destination", worker.name, "--timeout", str(PATIENCE))
    assert f"{worker.name}: OK" in celery(*inspect, "ping")
    assert f"{worker.name}: OK" in celery(*inspect, "active")
    assert "koebin.synthesize_chunk" in celery(*inspect, "registered")
    assert "speaker.mei" in celery(*inspect, "active_queues")


@pytest.mark.slow
def test_flower_sees_the_worker(worker: Worker, redis_server: RedisServer, tmp_path: Path) -> None:
    (port,) = free_ports(1)
    command = [sys.executable, "-m", "celery", "--broker", redis_server.url, "flower", f"--port={port}"]
    command += ["--address=127.0.0.1", "--inspect-timeout=5000"]
    environment = {**os.environ, **TOOLS, "FLOWER_UNAUTHENTICATED_API": "true"}
    with subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL) as flower:
        try:
            wait_for_port(port, flower, PATIENCE)

            def workers() -> dict[str, object]:
                address = f"http://127.0.0.1:{port}/api/workers?refresh=true"
                with suppress(urllib.error.HTTPError), urllib.request.urlopen(address, timeout=PATIENCE) as answer:
                    return dict(json.load(answer))
                return {}  # it has no answer of a worker yet

            wait_until(lambda: worker.name in workers())
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=PATIENCE) as answer:
                assert "flower_worker_online" in answer.read().decode()
        finally:
            flower.terminate()
