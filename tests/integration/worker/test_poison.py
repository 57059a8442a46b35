"""A sentence that kills or hangs its process is found alone; the rest is spoken, and a deploy counts for nothing."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis

from koebin.producers.client import Client
from koebin.tasks.broker.leases import Leases
from koebin.tasks.jobs.ledger import State
from koebin.tasks.jobs.outcome import JobOutcome
from koebin.tasks.jobs.submission import JobOptions
from koebin.tasks.redis_keys import chunk_task
from koebin.tasks.script import Passage, Script
from koebin.tasks.settings import Settings
from tests.chaos.arena import Supervised
from tests.integration.queue_texts import numbered
from tests.servers.redis import RedisServer
from tests.servers.waiting import PATIENCE, wait_until
from tests.servers.worker import ROOT, Worker, environment

pytestmark = [pytest.mark.xdist_group("poison")]

FAST = {"visibility_timeout": 3, "sweep_interval": 0.5}
LIMITED = {**FAST, "time_limit": 8}
GOOD = ["朝の港です。", "船が出ます。", "鳥が鳴きます。", "空は青い。", "風が吹きます。"]


@pytest.fixture
def client(server: RedisServer, store: str) -> Iterator[Client]:
    Redis.from_url(server.url).flushall()
    settings = Settings(broker_url=server.url, store=store, visibility_timeout=3)
    with Client(settings=settings) as connected:
        yield connected


@pytest.fixture
def trapped(server: RedisServer, store: str, client: Client) -> Iterator[Worker]:
    """A worker whose process dies of 毒 and hangs on 眠."""
    with Supervised(server.url, store, settings=FAST, variables={"CHAOS_TRAPS": "1"}) as running:
        yield running


def script(*bad: str) -> Script:
    """Good lines with the bad ones among them; lines count from 1."""
    lines = [GOOD[0], *bad, *GOOD[1:]]
    return Script([Passage(line, "mei", line=number) for number, line in enumerate(lines, 1)])


def koebin(server: RedisServer, store: str, *args: str) -> str:
    env = environment({"broker_url": server.url, "store": store})
    command = [sys.executable, "-P", "-m", "koebin", *args]
    return subprocess.run(
        command, cwd=ROOT, env=env, check=True, capture_output=True, text=True, timeout=PATIENCE
    ).stdout


def spoken(outcome: JobOutcome) -> list[str]:
    assert outcome.result is not None
    marks = json.loads(Path(outcome.result.marks_uri.removeprefix("file://")).read_text())
    return [mark["text"] for mark in marks["sentences"]]


def test_the_one_that_kills_is_found_and_the_job_fails_with_its_line(
    client: Client, server: RedisServer, store: str, trapped: Worker
) -> None:
    outcome = client.wait(client.submit(script("毒の話です。")), PATIENCE)
    assert outcome.state is State.FAILED
    assert outcome.result is None
    assert [(failure.line, failure.text) for failure in outcome.failures] == [(2, "毒の話です。")]
    assert "line 2" in outcome.error
    assert "process was lost" in outcome.failures[0].reason
    stored = list(Path(store.removeprefix("file://")).glob("segments/*/*.flac"))
    assert len(stored) == len(GOOD)  # what could be spoken is kept
    assert [letter["line"] for letter in client.dead_letters()] == [2]


@pytest.mark.slow
def test_dead_letters_are_listed_shown_and_driven_again(client: Client, server: RedisServer, store: str) -> None:
    with Supervised(server.url, store, settings=FAST, variables={"CHAOS_TRAPS": "1"}):
        job = client.submit(script("毒の話です。"))
        assert client.wait(job, PATIENCE).state is State.FAILED
    assert f"{job}\tline 2\tmei\t毒の話です。" in koebin(server, store, "dead", "list")
    assert json.loads(koebin(server, store, "dead", "show", job, "--json"))[0]["text"] == "毒の話です。"
    with Worker(server.url, store, settings=FAST):  # the cause has been mended
        koebin(server, store, "dead", "redrive", job)
        again = client.wait(job, PATIENCE)
    assert again.state is State.SUCCEEDED
    assert spoken(again) == [GOOD[0], "毒の話です。", *GOOD[1:]]
    assert not client.dead_letters()


@pytest.mark.slow
def test_partial_delivers_the_rest(client: Client, trapped: Worker) -> None:
    outcome = client.wait(client.submit(script("毒の話です。"), job_options=JobOptions(partial=True)), PATIENCE)
    assert outcome.state is State.PARTIAL
    assert [failure.line for failure in outcome.failures] == [2]
    assert spoken(outcome) == GOOD


@pytest.mark.slow
def test_the_one_that_hangs_is_found(client: Client, server: RedisServer, store: str) -> None:
    with Supervised(server.url, store, settings=LIMITED, variables={"CHAOS_TRAPS": "1"}):
        outcome = client.wait(client.submit(script("眠りの話です。"), job_options=JobOptions(partial=True)), PATIENCE)
    assert outcome.state is State.PARTIAL
    assert [(failure.line, failure.text) for failure in outcome.failures] == [(2, "眠りの話です。")]
    assert "time limit" in outcome.failures[0].reason
    assert spoken(outcome) == GOOD


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_deploy_raises_no_strikes(client: Client, server: RedisServer, store: str, number: signal.Signals) -> None:
    leases = Leases(Redis.from_url(server.url), 3)
    with Worker(server.url, store, settings={**FAST, "grace_period": 0}) as worker:
        job = client.submit(numbered(40))
        wait_until(lambda: any(client.ledger.open(job, "mei")))
        worker.signal(number) if number is signal.SIGTERM else worker.signal_all(number)
        worker.process.wait(PATIENCE)
    tasks = [chunk_task(job, chunk) for chunk in range(client.status(job).chunks)]
    assert {leases.attempt(task).strikes for task in tasks} == {0}
    with Worker(server.url, store, settings=FAST):
        assert client.wait(job, PATIENCE).state is State.SUCCEEDED
