"""Worker under the usual supervisors: their stops, a uid without a home, a read-only system, shared run folders."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from redis import Redis

from koebin.producers.client import Client
from koebin.tasks.jobs.ledger import State
from koebin.tasks.settings import Settings
from tests.integration.queue_texts import numbered
from tests.servers.redis import RedisServer
from tests.servers.slow import SlowNetwork
from tests.servers.waiting import PATIENCE, wait_until
from tests.servers.worker import ROOT, Worker

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("supervised")]

FAST = {"visibility_timeout": 6, "sweep_interval": 0.5}
UNIT = (ROOT / "deploy/systemd/koebin-worker@.service").read_text()


def client_of(server: RedisServer, store: str) -> Client:
    return Client(settings=Settings(broker_url=server.url, store=store, visibility_timeout=6))


def unit(name: str) -> str:
    found = re.search(rf"^{name}=(.*)$", UNIT, re.MULTILINE)
    assert found
    return found[1]


@pytest.mark.parametrize("kill_mode", [unit("KillMode"), "control-group"])
def test_systemds_stop_costs_no_strike(kill_mode: str, redis: Redis, redis_server: RedisServer, store: str) -> None:
    """SIGTERM to the main process (mixed) or to all (control-group, the default); SIGKILL after the limit."""
    with client_of(redis_server, store) as client:
        for round_ in range(3):  # a text is given up after three strikes
            worker = Worker(redis_server.url, store, settings=FAST | {"grace_period": 1})
            with worker:
                job = client.submit(numbered(200), job_id="book") if not round_ else "book"
                done = client.status(job).chunks_done
                wait_until(lambda done=done: client.status("book").chunks_done > done, what=worker.text)
                wait_until(lambda: redis.keys("koebin:lease:book/*"), what="no chunk runs")
                family = [psutil.Process(worker.pid), *psutil.Process(worker.pid).children(recursive=True)]
                for process in family if kill_mode == "control-group" else family[:1]:
                    process.send_signal(signal.SIGTERM)
                assert worker.process.wait(PATIENCE) == 0
                assert not [left for left in family[1:] if left.is_running() and left.status() != "zombie"]
                assert "Traceback" not in worker.text(), worker.text()
            for key in redis.keys("koebin:attempt:*"):
                assert redis.hget(key, "strikes") is None, redis.hgetall(key)
        assert client.dead_letters() == []
        assert client.cancel("book") is State.CANCELLED


def _may_unshare(*what: str) -> bool:
    if shutil.which("unshare") is None:
        return False
    return subprocess.run(["unshare", *what, "true"], capture_output=True, check=False).returncode == 0


NOBODY = ("unshare", "--user", "--map-user=54321", "--map-group=54321")
"""A uid that no file of users knows."""


@pytest.mark.skipif(not _may_unshare(*NOBODY[1:]), reason="no user namespaces for this user")
def test_a_uid_without_home_or_name_is_enough(redis_server: RedisServer, tmp_path: Path) -> None:
    clean = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("KOEBIN_") and name not in ("HOME", "USER", "LOGNAME")
    }

    def koebin(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [*NOBODY, sys.executable, "-P", "-m", "koebin", *arguments]
        environment = clean | {"TMPDIR": str(tmp_path), "KOEBIN_STORE": (tmp_path / "store").as_uri()}
        return subprocess.run(
            command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=PATIENCE, check=False
        )

    (tmp_path / "book.txt").write_text("一つ目の文です。", encoding="utf-8")
    for arguments in (
        ("say", "家がありません。", "-o", "home.wav"),
        ("narrate", "book.txt", "-f", "flac"),  # a private broker and a worker
        ("doctor",),
        ("check", "book.txt"),
    ):
        done = koebin(*arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "Traceback" not in done.stderr


class Apart(Worker):
    """A worker behind a command that gives it namespaces of its own."""

    def behind(self, *command: str) -> Apart:
        self._command = [*command, *self._command]
        return self

    def share(self, run_dir: Path) -> Apart:
        self._env["KOEBIN_RUN_DIR"] = str(run_dir)
        return self


@pytest.mark.skipif(not _may_unshare("--pid", "--fork", "--mount-proc"), reason="no PID namespaces for this user")
def test_two_pid_namespaces_share_a_run_folder(redis_server: RedisServer, store: str, tmp_path: Path) -> None:
    """Both workers have the same process id there; each has a folder of its own, and neither removes the other's."""
    shared = tmp_path / "run"
    command = ("unshare", "--pid", "--fork", "--mount-proc", "--kill-child")
    first, second = (
        Apart(redis_server.url, store, settings=FAST, name=f"{name}@test").behind(*command).share(shared)
        for name in ("first", "second")
    )
    with first, second, client_of(redis_server, store) as client:
        assert client.wait(client.submit(numbered(8)), PATIENCE).state is State.SUCCEEDED
        assert len(list(shared.glob("worker-*/health.json"))) == 2
        (inner,) = psutil.Process(second.pid).children()
        inner.send_signal(signal.SIGTERM)
        second.process.wait(PATIENCE)
        assert len(list(shared.glob("worker-*/health.json"))) == 1
        assert client.wait(client.submit(numbered(9)), PATIENCE).state is State.SUCCEEDED


def test_a_removed_run_folder_is_made_again_while_it_runs(redis_server: RedisServer, store: str) -> None:
    with Worker(redis_server.url, store, settings=FAST) as worker, client_of(redis_server, store) as client:
        shutil.rmtree(worker.folder / "run")
        wait_until(lambda: list((worker.folder / "run").glob("worker-*/health.json")), what=worker.text)
        assert client.wait(client.submit(numbered(5)), PATIENCE).state is State.SUCCEEDED
        since = time.time()
        wait_until(
            lambda: any(path.stat().st_mtime > since for path in (worker.folder / "run").glob("worker-*/health.json")),
            what="the watchdog is silent",
        )
        assert worker.stop() == 0


@pytest.mark.skipif(not _may_unshare("--mount"), reason="no mount namespaces for this user")
def test_a_read_only_system_is_enough(redis_server: RedisServer, tmp_path: Path) -> None:
    """All is read-only but the store and a small /tmp of its own."""
    store = tmp_path / "store"
    store.mkdir()
    script = (
        f"set -e; mount --make-rprivate /; mount --bind {store} {store}; "
        "mount -o remount,bind,ro / ; "
        f"mount -o remount,bind,rw {store}; cd /; ! touch /koebin 2>/dev/null; "
        'mount -t tmpfs -o size=256m tmpfs /run; export TMPDIR=/run KOEBIN_RUN_DIR=/run/koebin; exec "$@"'
    )
    worker = Apart(redis_server.url, store.as_uri(), settings=FAST).behind(
        "unshare", "--mount", "sh", "-c", script, "sh"
    )
    with worker, client_of(redis_server, store.as_uri()) as client:
        outcome = client.wait(client.submit(numbered(6)), PATIENCE)
        assert outcome.state is State.SUCCEEDED, worker.text()
        assert worker.stop() == 0


def test_connections_that_are_dropped_without_a_word_are_noticed(redis_server: RedisServer, store: str) -> None:
    """As behind a firewall that forgets them: without time limits a socket waits for a quarter of an hour."""
    with SlowNetwork(redis_server.port) as network:
        through = redis_server.url.replace(str(redis_server.port), str(network.port))
        with (
            Worker(redis_server.url, store, settings=FAST | {"broker_url": through}) as worker,
            client_of(redis_server, store) as client,
        ):
            assert client.wait(client.submit("一つ目の仕事です。"), PATIENCE).state is State.SUCCEEDED
            network.silent = True
            job = client.submit(numbered(5))
            time.sleep(3)  # what is asked meanwhile is never answered
            network.silent = False
            assert client.wait(job, PATIENCE / 2).state is State.SUCCEEDED, worker.text()
            assert worker.process.poll() is None
