"""One task that takes many times the visibility timeout.

``LONG_TASK_SECONDS=600 pytest tests/integration/test_long_task.py`` takes ten minutes for it under the default timeout
of 30 s; otherwise a shorter one under a timeout that is short in the same proportion.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Final

import pytest
from redis import Redis

from koebin.producers.client import Client
from koebin.tasks import redis_keys
from koebin.tasks.jobs.ledger import State
from koebin.tasks.redis_keys import chunk_task
from koebin.tasks.settings import Settings
from tests.chaos.arena import Supervised
from tests.servers.redis import RedisServer
from tests.servers.waiting import PATIENCE, wait_until
from tests.servers.worker import ROOT, Worker

TASK_SECONDS: Final = float(os.environ.get("LONG_TASK_SECONDS", "40"))
TIMEOUT: Final = TASK_SECONDS / 20
SEGMENTS: Final = 20
TEXT: Final = "".join(f"{number}番。" for number in range(1, SEGMENTS + 1))

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("long"), pytest.mark.timeout(900 + 4 * TASK_SECONDS)]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> str:
    """SHA-256 of the finished file when nothing is slow and nothing happens."""
    store = tmp_path_factory.mktemp("undisturbed").as_uri()
    with (
        RedisServer() as server,
        Worker(server.url, store),
        Client(settings=Settings(broker_url=server.url, store=store)) as client,
    ):
        result = client.wait(client.submit(TEXT, wait_seconds=30), PATIENCE).result
    assert result is not None
    return result.sha256


@pytest.fixture
def server() -> Iterator[RedisServer]:
    with RedisServer() as running:
        yield running


@pytest.fixture
def client(server: RedisServer, store: str) -> Iterator[Client]:
    settings = Settings(broker_url=server.url, store=store, visibility_timeout=TIMEOUT)
    with Client(settings=settings) as connected:
        yield connected


def slow_worker(server: RedisServer, store: str) -> Supervised:
    variables = {"CHAOS_SLOW_SECONDS": str(TASK_SECONDS / SEGMENTS)}
    return Supervised(server.url, store, settings={"visibility_timeout": TIMEOUT}, variables=variables)


def made(*workers: Worker) -> list[str]:
    """Keys of segments in the order in which they were stored, by worker."""
    return [key for worker in workers for key in re.findall(r"made ([0-9a-f]{64})", worker.text())]


def ended_as(client: Client, job: str, sha256: str) -> None:
    outcome = client.wait(job, 60 + 2 * TASK_SECONDS)
    assert outcome.state is State.SUCCEEDED, outcome.error
    assert outcome.result is not None
    assert outcome.result.sha256 == sha256


def test_it_runs_once(client: Client, server: RedisServer, store: str, undisturbed: str) -> None:
    redis: Redis = Redis.from_url(server.url)
    with slow_worker(server, store) as first, slow_worker(server, store) as second:
        job = client.submit(TEXT, wait_seconds=30)
        assert client.status(job).chunks == 1
        started = time.monotonic()
        owners = set()
        while client.ledger.state(job) is State.RUNNING:
            owners.add(redis.get(redis_keys.lease(chunk_task(job, 0))))
            time.sleep(0.2)
        assert time.monotonic() - started > TASK_SECONDS
        ended_as(client, job, undisturbed)
        assert len(owners - {None}) == 1
        assert len(made(first, second)) == SEGMENTS
        assert not (made(first) and made(second))


def test_the_only_worker_is_killed_half_way(client: Client, server: RedisServer, store: str, undisturbed: str) -> None:
    with slow_worker(server, store) as first:
        job = client.submit(TEXT, wait_seconds=30)
        wait_until(lambda: len(made(first)) >= SEGMENTS // 2, PATIENCE + TASK_SECONDS)
        first.signal_all(signal.SIGKILL)
        with slow_worker(server, store) as second:
            killed = time.monotonic()
            wait_until(lambda: bool(made(second)), PATIENCE + TASK_SECONDS)
            print(f"\nthe next segment was stored {time.monotonic() - killed:.1f} s after the second worker was ready")
            ended_as(client, job, undisturbed)
            assert len(made(first, second)) == len(set(made(first, second))) == SEGMENTS


def test_redis_is_emptied_half_way(client: Client, server: RedisServer, store: str, undisturbed: str) -> None:
    with slow_worker(server, store) as worker:
        job = client.submit(TEXT, wait_seconds=30)
        wait_until(lambda: len(made(worker)) >= SEGMENTS // 2, PATIENCE + TASK_SECONDS)
        Redis.from_url(server.url).flushall()
        env = os.environ | {"KOEBIN_BROKER_URL": server.url, "KOEBIN_STORE": store}
        done = subprocess.run(
            [sys.executable, "-P", "-m", "koebin", "resume", job],
            cwd=ROOT,
            env=env,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=True,
        )
        print(done.stdout, done.stderr)
        ended_as(client, job, undisturbed)
        assert len(made(worker)) == len(set(made(worker))) == SEGMENTS
