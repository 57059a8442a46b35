"""Several beat processes on one Redis: every tick once, whatever is killed and whatever the clock does."""

from __future__ import annotations

import json
import multiprocessing
import os
import random
import signal
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest
from redis import Redis

from tests.integration.producers.briefings import beat_process
from tests.servers.redis import RedisServer
from tests.servers.waiting import PATIENCE, wait_until

# Processes that start at once: each is a fork of one that has imported everything, and has no threads.
FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(["tests.integration.producers.briefings.beat_process"])
BEGIN = datetime(2026, 11, 23, 0, 0, 30, tzinfo=UTC)


class Deployment:
    """A folder of briefings, a simulated clock, and beat processes."""

    def __init__(self, folder: Path, server: RedisServer) -> None:
        self.redis = Redis.from_url(server.url, decode_responses=True)
        self.redis.flushdb()
        self.url = server.url
        self.folder = folder / "briefings"
        self.folder.mkdir()
        self.store = folder / "store"
        self.processes: list[BaseProcess] = []
        self.now = BEGIN
        self.set_clock(BEGIN)

    def write(self, name: str, crontab: str = "* * * * *", catch_up: str = "all", max_age: str = "2d") -> None:
        (self.folder / f"{name}.toml").write_text(
            f"""
            [when]
            crontab = "{crontab}"
            catch_up = "{catch_up}"
            max_age = "{max_age}"
            [template]
            text = "お知らせです。"
            [output]
            store = "file://{self.store}"
            keep = 5
            """
        )

    def set_clock(self, now: datetime) -> None:
        self.now = now
        self.redis.set("test:now", now.timestamp())

    def start(self, dies: str = "never") -> BaseProcess:
        started = self.redis.llen("test:started")
        process = FORKS.Process(target=beat_process.main, args=(self.folder, self.url, dies), daemon=True)
        process.start()
        self.processes.append(process)
        wait_until(lambda: self.redis.llen("test:started") > started)
        return process

    def kill(self, process: BaseProcess) -> None:
        process.kill()
        process.join()
        self.processes.remove(process)

    def jobs(self) -> dict[str, str]:
        return self.redis.hgetall("test:jobs")

    def last(self, name: str) -> dict[str, str]:
        return json.loads(self.redis.hget("koebin:briefing:last", name) or "{}")

    def settled(self) -> bool:
        return self.redis.scard("koebin:briefing:open") == 0

    def wait_for_first_look(self, schedules: int = 1) -> None:
        wait_until(lambda: self.redis.hlen("koebin:briefing:seen") == schedules)

    def wait_for_jobs(self, count: int) -> None:
        wait_until(lambda: self.redis.hlen("test:jobs") >= count and self.settled())


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """In memory where there is such a folder: a store waits for the disk with every write, thousands of times here."""
    memory = Path("/dev/shm")
    if not os.access(memory, os.W_OK):
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(dir=memory, prefix="koebin-") as made:
        yield Path(made)


@pytest.fixture
def deployment(folder: Path, server: RedisServer) -> Iterator[Deployment]:
    running = Deployment(folder, server)
    yield running
    for process in running.processes:
        process.kill()
        process.join()


def expected_jobs(name: str, count: int) -> set[str]:
    first = BEGIN.replace(second=0) + timedelta(minutes=1)
    return {f"briefing.{name}.{first + timedelta(minutes=minute):%Y%m%dT%H%M%SZ}" for minute in range(count)}


@pytest.mark.slow
def test_a_thousand_ticks_with_three_processes_killed_and_restarted(deployment: Deployment) -> None:
    chance = random.Random(7)
    names = [f"b{number}" for number in range(25)]
    for name in names:
        deployment.write(name)
    processes = [deployment.start() for _ in range(3)]
    deployment.wait_for_first_look(len(names))
    minutes = 0
    while minutes < 40:
        step = min(chance.choice([1, 1, 1, 2, 4]), 40 - minutes)
        minutes += step
        deployment.set_clock(BEGIN + timedelta(minutes=minutes))
        time.sleep(chance.uniform(0.0, 0.1))
        if chance.random() < 0.12:  # a clock that was wrong for a moment
            deployment.set_clock(BEGIN + timedelta(minutes=minutes - chance.choice([1, 3, 60])))
            time.sleep(0.05)
            deployment.set_clock(BEGIN + timedelta(minutes=minutes))
        if chance.random() < 0.15:
            deployment.kill(processes.pop(chance.randrange(len(processes))))
            processes.append(deployment.start())
    deployment.wait_for_jobs(1000)

    wanted = {job for name in names for job in expected_jobs(name, 40)}
    assert set(deployment.jobs()) == wanted
    # A process that is killed right after a submission leaves it to be repeated, in the same words.
    submissions = deployment.redis.lrange("test:submissions", 0, -1)
    assert {line.split(" ", 1)[0] for line in submissions} == wanted
    assert len(set(submissions)) == 1000
    for name in names:
        home = deployment.store / "briefings" / name
        index = json.loads((home / "index.json").read_bytes())
        assert [edition["due"][11:16] for edition in index["editions"]] == ["00:40", "00:39", "00:38", "00:37", "00:36"]
        last_job = f"briefing.{name}.20261123T004000Z"
        assert (home / "latest.mp3").read_text() == deployment.jobs()[last_job]
        assert len(list(home.glob("2026-*.mp3"))) == 5


@pytest.mark.parametrize("moment", ["before-submit", "after-submit"])
def test_a_process_that_dies_around_the_submission_is_replaced(deployment: Deployment, moment: str) -> None:
    deployment.write("morning")
    doomed = deployment.start(moment)
    deployment.wait_for_first_look()
    deployment.set_clock(BEGIN + timedelta(minutes=1))
    doomed.join(timeout=PATIENCE)
    assert doomed.exitcode == -signal.SIGKILL
    deployment.start()
    deployment.wait_for_jobs(1)
    assert deployment.redis.get("test:rendered") == "1"
    assert deployment.jobs() == {"briefing.morning.20261123T000100Z": "1 番目"}
    assert deployment.last("morning")["state"] == "PUBLISHED"


def test_what_was_missed_while_all_were_down(deployment: Deployment) -> None:
    for catch_up in ("all", "latest", "skip"):
        deployment.write(catch_up, crontab="*/10 * * * *", catch_up=catch_up, max_age="1h")
    process = deployment.start()
    deployment.wait_for_first_look(3)
    deployment.kill(process)
    deployment.set_clock(BEGIN + timedelta(hours=3, minutes=5))
    deployment.start()
    deployment.wait_for_jobs(7)
    deployment.set_clock(BEGIN + timedelta(hours=3, minutes=10))
    deployment.wait_for_jobs(10)
    times = {name: [] for name in ("all", "latest", "skip")}
    for job in sorted(deployment.jobs()):
        _, name, due = job.split(".")
        times[name].append(due[9:13])
    assert times == {
        "all": ["0210", "0220", "0230", "0240", "0250", "0300", "0310"],
        "latest": ["0300", "0310"],
        "skip": ["0310"],
    }


def test_a_clock_set_back_repeats_nothing_and_does_not_stop_the_schedule(deployment: Deployment) -> None:
    deployment.write("morning", catch_up="skip")
    deployment.start()
    deployment.wait_for_first_look()
    deployment.set_clock(BEGIN + timedelta(minutes=1))
    deployment.wait_for_jobs(1)
    # A year ahead by mistake, and back again.
    deployment.set_clock(BEGIN + timedelta(days=365))
    deployment.wait_for_jobs(2)
    deployment.set_clock(BEGIN + timedelta(minutes=1, seconds=10))
    time.sleep(0.3)
    assert len(deployment.jobs()) == 2
    deployment.set_clock(BEGIN + timedelta(minutes=2))
    deployment.wait_for_jobs(3)
    assert sorted(deployment.jobs())[:2] == ["briefing.morning.20261123T000100Z", "briefing.morning.20261123T000200Z"]


def test_a_frozen_process_that_wakes_up_changes_nothing(deployment: Deployment) -> None:
    deployment.write("morning")
    frozen = deployment.start()
    deployment.wait_for_first_look()
    os.kill(frozen.pid, signal.SIGSTOP)
    deployment.start()
    deployment.set_clock(BEGIN + timedelta(minutes=3))
    deployment.wait_for_jobs(3)
    os.kill(frozen.pid, signal.SIGCONT)
    time.sleep(0.3)
    deployment.set_clock(BEGIN + timedelta(minutes=4))
    deployment.wait_for_jobs(4)
    assert set(deployment.jobs()) == expected_jobs("morning", 4)


def test_an_edited_schedule_begins_anew(deployment: Deployment) -> None:
    deployment.write("morning", crontab="0 0 1 1 *")
    process = deployment.start()
    deployment.wait_for_first_look()
    deployment.kill(process)
    deployment.write("morning")
    deployment.set_clock(BEGIN + timedelta(minutes=30))
    deployment.start()
    deployment.wait_for_first_look(2)
    deployment.set_clock(BEGIN + timedelta(minutes=31))
    deployment.wait_for_jobs(1)
    assert list(deployment.jobs()) == ["briefing.morning.20261123T003100Z"]


def test_a_restart_of_the_server_loses_and_repeats_nothing(folder: Path) -> None:
    with RedisServer(persistence=True) as server:
        deployment = Deployment(folder, server)
        deployment.write("morning")
        process = deployment.start()
        deployment.wait_for_first_look()
        deployment.set_clock(BEGIN + timedelta(minutes=1))
        deployment.wait_for_jobs(1)
        server.kill()
        time.sleep(0.2)
        server.start()
        deployment.set_clock(BEGIN + timedelta(minutes=3))
        deployment.wait_for_jobs(3)
        assert set(deployment.jobs()) == expected_jobs("morning", 3)
        assert process.is_alive()
        deployment.kill(process)
