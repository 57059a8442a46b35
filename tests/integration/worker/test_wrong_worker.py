"""A worker that is wrong beside one that is well: every job and every text succeeds, and the wrong one says why."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest
from redis import Redis

from koebin.producers.client import Client
from koebin.tasks.broker.fleet import fleet
from koebin.tasks.jobs.ledger import State
from koebin.tasks.settings import Settings
from tests.chaos.arena import Supervised
from tests.servers.redis import RedisServer
from tests.servers.s3 import S3Server
from tests.servers.waiting import PATIENCE, wait_until
from tests.servers.worker import ROOT, Worker

pytestmark = [pytest.mark.xdist_group("wrong-worker")]

FAST = {"visibility_timeout": 4, "sweep_interval": 0.3}
JOBS = 4
TEXTS = 8


def problem_of(server: RedisServer, name: str) -> str:
    client: Redis = Redis.from_url(server.url)
    found = [worker for worker in fleet(client).workers if worker.worker == name]
    client.close()
    return found[0].problem if found else ""


def health(worker: Worker) -> str:
    command = [sys.executable, "-P", "-m", "koebin", "health", "--run-dir", str(worker.folder / "run")]
    return subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True, timeout=PATIENCE).stdout


def everything_succeeds(client: Client, store: str) -> None:
    jobs = [client.submit(f"{number}つ目の仕事です。二つ目の文です。") for number in range(JOBS)]
    texts = [
        client.app.send_task(
            "koebin.synthesize",
            args=[{"text": f"{number}番目の短い文です。", "speaker": "mei", "store": store}],
            queue="speaker.mei",
        )
        for number in range(TEXTS)
    ]
    assert [client.wait(job, PATIENCE).state for job in jobs] == [State.SUCCEEDED] * JOBS
    assert all(text.get(timeout=PATIENCE)["uri"] for text in texts)


@contextmanager
def both(
    server: RedisServer,
    settings: Mapping[str, Any],
    wrong: Mapping[str, Any],
    variables: dict[str, str] | None = None,
    mounts: tuple[str, ...] = (),
) -> Iterator[tuple[Client, Worker]]:
    """A client, and the wrong one of two workers, which is there first.

    Args:
        mounts: a shell's commands by which the wrong one sees another ``$0`` than all others.
    """
    chosen = {**FAST, **settings}
    bad = Supervised(
        server.url, str(settings["store"]), settings={**chosen, **wrong}, variables=variables or {}, name="wrong@test"
    )
    if mounts:
        folder = str(settings["store"]).removeprefix("file://")
        within = ["unshare", "--mount", "sh", "-c", " && ".join((*mounts, 'exec "$@"')), folder]
        bad._command = [*within, *bad._command]
    good = Worker(server.url, str(settings["store"]), settings=chosen, name="good@test")
    with bad.start(ready=False), good, Client(settings=Settings(**chosen, broker_url=server.url)) as client:
        yield client, bad


@pytest.mark.parametrize(
    ("wrong", "variables", "reason"),
    [
        ({"s3_secret_access_key": "not-the-secret"}, {}, "credentials"),
        pytest.param({}, {"CHAOS_CLOCK_SECONDS": "1200"}, "clock", marks=pytest.mark.slow),
        pytest.param({"s3_endpoint_url": "http://127.0.0.1:9"}, {}, "reached", marks=pytest.mark.slow),
    ],
    ids=["secret", "clock", "endpoint"],
)
def test_it_takes_nothing_from_the_good_one(
    redis_server: RedisServer, s3_server: S3Server, wrong: dict[str, Any], variables: dict[str, str], reason: str
) -> None:
    settings = s3_server.settings()
    with both(redis_server, settings, wrong, variables) as (client, bad):
        wait_until(lambda: reason in problem_of(redis_server, bad.name), what=lambda: bad.text())
        everything_succeeds(client, settings["store"])
        assert "takes nothing until it has proved itself" in health(bad)
        assert "not-the-secret" not in bad.text() + health(bad)


@pytest.mark.slow
def test_one_that_may_not_write_to_the_jobs_store_leaves_it_to_the_good_one(
    redis_server: RedisServer, tmp_path: Path
) -> None:
    store = (tmp_path / "store").as_uri()
    other = (tmp_path / "other").as_uri()
    with both(redis_server, {"store": store}, {"store": other, "stores": other}) as (client, bad):
        bad.wait_ready()  # it is well, for a store of its own
        everything_succeeds(client, store)


@pytest.mark.slow
def test_one_that_loses_what_it_needs_while_it_works_gives_its_work_back(
    redis_server: RedisServer, tmp_path: Path
) -> None:
    """Of the process of one that was well, no further file can be opened."""
    store = (tmp_path / "store").as_uri()
    with both(redis_server, {"store": store}, {}) as (client, bad):
        bad.wait_ready()
        child = psutil.Process(bad.child())
        resource.prlimit(child.pid, resource.RLIMIT_NOFILE, (child.num_fds(), child.num_fds()))
        everything_succeeds(client, store)


@pytest.mark.slow
def test_one_whose_clock_is_behind_takes_nothing(redis_server: RedisServer, s3_server: S3Server) -> None:
    """Its health is not asked for here: the command's clock is not set wrong, and finds the report old."""
    settings = s3_server.settings()
    with both(redis_server, settings, {}, {"CHAOS_CLOCK_SECONDS": "-1200"}) as (client, bad):
        wait_until(lambda: "clock" in problem_of(redis_server, bad.name), what=lambda: bad.text())
        everything_succeeds(client, settings["store"])


READ_ONLY = ('mount --bind "$0" "$0"', 'mount -o remount,ro,bind "$0"')
ANOTHER = ('mount -t tmpfs -o size=64m another "$0"',)


@pytest.mark.slow
@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount")
def test_one_that_sees_the_store_read_only_takes_nothing(redis_server: RedisServer, tmp_path: Path) -> None:
    (tmp_path / "store").mkdir()
    store = (tmp_path / "store").as_uri()
    with both(redis_server, {"store": store}, {}, mounts=READ_ONLY) as (client, bad):
        wait_until(lambda: "read-only" in problem_of(redis_server, bad.name), what=lambda: bad.text())
        everything_succeeds(client, store)


@pytest.mark.slow
@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount")
def test_jobs_succeed_beside_one_whose_store_is_another_file_system(redis_server: RedisServer, tmp_path: Path) -> None:
    """The network's file system was not mounted there: the folder is empty, and takes whatever is written."""
    (tmp_path / "store").mkdir()
    store = (tmp_path / "store").as_uri()
    with both(redis_server, {"store": store}, {}, mounts=ANOTHER) as (client, bad):
        bad.wait_ready()
        jobs = [client.submit(f"{number}つ目の仕事です。二つ目の文です。") for number in range(JOBS)]
        outcomes = [client.wait(job, PATIENCE) for job in jobs]
        assert [outcome.state for outcome in outcomes] == [State.SUCCEEDED] * JOBS, outcomes


@pytest.mark.slow
def test_jobs_succeed_beside_one_with_another_message_key(redis_server: RedisServer, tmp_path: Path) -> None:
    """It refuses what it cannot know to be ours; the chunk is missed, and sent again until the good one has it."""
    store = (tmp_path / "store").as_uri()
    good, wrong = ({"message_keys": f"k:{secret * 4}"} for secret in ("0123456789abcdef", "fedcba9876543210"))
    with both(redis_server, {"store": store, **good}, wrong) as (client, bad):
        bad.wait_ready()
        jobs = [client.submit(f"{number}つ目の仕事です。二つ目の文です。") for number in range(JOBS)]
        outcomes = [client.wait(job, PATIENCE) for job in jobs]
        assert [outcome.state for outcome in outcomes] == [State.SUCCEEDED] * JOBS, outcomes


@pytest.mark.slow
def test_one_whose_voices_cannot_be_cached_leaves_all_to_the_good_one(
    redis_server: RedisServer, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("no folder")
    store = (tmp_path / "store").as_uri()
    with both(redis_server, {"store": store}, {"cache": str(tmp_path / "file" / "cache")}) as (client, _bad):
        everything_succeeds(client, store)


@pytest.mark.slow
def test_one_without_memory_gives_its_work_back(redis_server: RedisServer, tmp_path: Path) -> None:
    store = (tmp_path / "store").as_uri()
    with both(redis_server, {"store": store}, {}) as (client, bad):
        bad.wait_ready()
        child = psutil.Process(bad.child())
        room = child.memory_info().vms + (1 << 20)
        resource.prlimit(child.pid, resource.RLIMIT_AS, (room, room))
        everything_succeeds(client, store)


@pytest.mark.slow
def test_it_works_once_it_is_mended(redis_server: RedisServer, tmp_path: Path) -> None:
    folder = tmp_path / "store"
    folder.write_text("a file stands where the store is to be")
    settings = Settings(broker_url=redis_server.url, store=folder.as_uri(), visibility_timeout=4)
    with Worker(redis_server.url, folder.as_uri(), settings=FAST, name="lone@test").start(ready=False) as worker:
        wait_until(lambda: "folder" in problem_of(redis_server, "lone@test"), what=lambda: worker.text())
        assert worker.process.poll() is None
        folder.unlink()
        worker.wait_ready()
        assert problem_of(redis_server, "lone@test") == ""
        with Client(settings=settings) as client:
            assert client.wait(client.submit("直りました。"), PATIENCE).state is State.SUCCEEDED
    assert not list(folder.glob("doctor/*"))


@pytest.mark.slow
def test_a_store_that_refuses_one_jobs_place_fails_that_job_after_some_tries(
    redis_server: RedisServer, tmp_path: Path
) -> None:
    """The worker is well, as its proof shows: then it is the job's fault."""
    store = (tmp_path / "store").as_uri()
    settings = Settings(broker_url=redis_server.url, store=store, visibility_timeout=4)
    with (
        Worker(redis_server.url, store, settings=FAST) as worker,
        Client(settings=settings) as client,
    ):
        _put_a_file(tmp_path / "store" / "segments")
        job = client.submit("置き場がありません。")
        outcome = client.wait(job, PATIENCE)
        assert outcome.state is State.FAILED
        assert "folder" in outcome.error
        (tmp_path / "store" / "segments").unlink()
        assert client.wait(client.submit("次の仕事は出来ます。"), PATIENCE).state is State.SUCCEEDED
        assert worker.process.poll() is None


def _put_a_file(path: Path) -> None:
    path.parent.mkdir(exist_ok=True)
    if path.is_dir():
        path.rmdir()
    path.write_text("")
