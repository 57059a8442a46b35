"""A worker is killed, frozen or told to go in the middle of its work: the job ends as if nothing had happened."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from redis import Redis

from koebin.producers.client import Client
from koebin.tasks import redis_keys
from koebin.tasks.jobs.ledger import State
from koebin.tasks.priorities import PRIORITY_STEPS
from koebin.tasks.redis_keys import chunk_task, priority_list
from koebin.tasks.settings import Settings
from tests.integration.queue_texts import numbered
from tests.servers.redis import RedisServer
from tests.servers.waiting import PATIENCE, wait_until
from tests.servers.worker import Worker

pytestmark = pytest.mark.xdist_group("recovery")

TIMEOUT = 3.0
FAST = {"visibility_timeout": TIMEOUT, "sweep_interval": 0.5}
SENTENCES = 60
TEXT = numbered(SENTENCES)


@pytest.fixture
def redis(server: RedisServer) -> Iterator[Redis]:
    client: Redis = Redis.from_url(server.url)
    client.flushall()
    yield client
    client.close()


@pytest.fixture
def client(server: RedisServer, store: str, redis: Redis) -> Iterator[Client]:
    settings = Settings(broker_url=server.url, store=store, visibility_timeout=TIMEOUT)
    with Client(settings=settings) as connected:
        yield connected


@pytest.fixture(scope="module")
def undisturbed(server: RedisServer, tmp_path_factory: pytest.TempPathFactory) -> str:
    """SHA-256 of the finished file when nothing happens."""
    store = tmp_path_factory.mktemp("undisturbed").as_uri()
    with (
        Worker(server.url, store, settings=FAST),
        Client(settings=Settings(broker_url=server.url, store=store)) as client,
    ):
        result = client.wait(client.submit(TEXT), PATIENCE).result
    assert result is not None
    return result.sha256


def in_the_middle(client: Client, worker: Worker) -> str:
    """Submit, and return when the worker is at work on a chunk."""
    job = client.submit(TEXT, wait_seconds=30)
    wait_until(lambda: client.status(job).rendered >= 5)
    wait_until(lambda: any(client.ledger.open(job, "mei")))
    time.sleep(0.4)  # what is rendered is counted at the end of a chunk, and the next lasts for a second
    return job


def ended(client: Client, job: str, sha256: str) -> None:
    outcome = client.wait(job, PATIENCE)
    assert outcome.state is State.SUCCEEDED, outcome.error
    assert outcome.result is not None
    assert outcome.result.sha256 == sha256
    assert outcome.segments.total == SENTENCES


@pytest.mark.slow
def test_the_pool_process_is_killed(client: Client, server: RedisServer, store: str, undisturbed: str) -> None:
    with Worker(server.url, store, settings=FAST) as worker:
        job = in_the_middle(client, worker)
        worker.signal_child(signal.SIGKILL)
        ended(client, job, undisturbed)


@pytest.mark.slow
def test_the_whole_worker_is_killed(client: Client, server: RedisServer, store: str, undisturbed: str) -> None:
    with Worker(server.url, store, settings=FAST) as first:
        job = in_the_middle(client, first)
        first.signal_all(signal.SIGKILL)
        with Worker(server.url, store, settings=FAST):
            ended(client, job, undisturbed)


@pytest.mark.slow
def test_a_frozen_worker_is_replaced_and_does_no_harm_when_it_thaws(
    client: Client, server: RedisServer, store: str, undisturbed: str
) -> None:
    with Worker(server.url, store, settings=FAST) as first, Worker(server.url, store, settings=FAST) as second:
        job = in_the_middle(client, first)
        first.signal_all(signal.SIGSTOP)
        wait_until(lambda: client.status(job).state is not State.RUNNING)
        first.signal_all(signal.SIGCONT)
        ended(client, job, undisturbed)
        again = client.submit(numbered(30))
        assert client.wait(again, PATIENCE).state is State.SUCCEEDED
        assert second.process.poll() is None


@pytest.mark.slow
def test_a_frozen_pool_process_is_replaced_by_another_worker(
    client: Client, server: RedisServer, redis: Redis, store: str, undisturbed: str
) -> None:
    """Its parent is alive, and lets the lease go."""
    with Worker(server.url, store, settings=FAST) as first, Worker(server.url, store, settings=FAST) as second:
        job = in_the_middle(client, first)
        frozen = first.child()
        first.signal_child(signal.SIGSTOP)
        owners = {key: redis.get(key) for key in redis.keys("koebin:lease:*")}
        wait_until(lambda: any(redis.get(key) not in (None, owner) for key, owner in owners.items()))
        os.kill(frozen, signal.SIGCONT)  # before its parent ends a worker that has run nothing for so long
        ended(client, job, undisturbed)
        again = client.submit(numbered(30))
        assert client.wait(again, PATIENCE).state is State.SUCCEEDED
        assert (first.process.poll(), second.process.poll()) == (None, None)
        assert first.child() == frozen


@pytest.mark.slow
def test_told_to_go_it_gives_back_at_once(client: Client, server: RedisServer, store: str, undisturbed: str) -> None:
    with Worker(server.url, store, settings={**FAST, "grace_period": 0}) as first:
        job = in_the_middle(client, first)
        assert first.stop(PATIENCE) == 0
        assert not Redis.from_url(server.url).keys("koebin:lease:*")
        with Worker(server.url, store, settings=FAST):
            ended(client, job, undisturbed)


def given(client: Client, redis: Redis) -> str:
    """Submit to a worker whose process stands still, and return when its parent has handed it a chunk."""
    job = client.submit(numbered(4), wait_seconds=30)
    wait_until(lambda: bool(redis.keys("koebin:lease:*")))
    time.sleep(0.3)
    return job


@pytest.mark.slow
def test_told_to_go_it_gives_back_what_its_process_was_given_and_had_not_begun(
    client: Client, server: RedisServer, redis: Redis, store: str
) -> None:
    with Worker(server.url, store, settings={**FAST, "grace_period": 0}) as first:
        child = first.child()
        first.signal_child(signal.SIGSTOP)
        job = given(client, redis)
        first.signal(signal.SIGTERM)
        first.wait_until_it_drains()
        os.kill(child, signal.SIGCONT)
        assert first.process.wait(PATIENCE) == 0
    nothing_is_held(redis)
    with Worker(server.url, store, settings=FAST):
        assert client.wait(job, PATIENCE).state is State.SUCCEEDED


@pytest.mark.slow
@pytest.mark.parametrize("begun", [False, True])
def test_told_to_go_it_gives_back_what_a_process_has_that_stays_frozen(
    client: Client, server: RedisServer, redis: Redis, store: str, begun: bool
) -> None:
    with Worker(server.url, store, settings={**FAST, "grace_period": 0}) as first:
        if begun:
            job = in_the_middle(client, first)
        first.signal_child(signal.SIGSTOP)
        if not begun:
            job = given(client, redis)
        assert first.stop(PATIENCE) == 0
    nothing_is_held(redis)
    with Worker(server.url, store, settings=FAST):
        assert client.wait(job, PATIENCE).state is State.SUCCEEDED


def nothing_is_held(redis: Redis) -> None:
    """What a worker had is back in its queue, and nothing is held against it."""
    assert not redis.keys("koebin:lease:*")
    assert not redis.keys("koebin:attempt:*")
    assert not redis.exists("koebin.unacked")
    assert redis.keys("speaker.mei*")


@pytest.mark.slow
def test_a_message_that_vanished_is_found(
    client: Client, server: RedisServer, redis: Redis, store: str, undisturbed: str
) -> None:
    """The window between taking a message from its list and noting it as unacknowledged."""
    with Worker(server.url, store, settings=FAST) as worker:
        job = in_the_middle(client, worker)
        worker.signal_all(signal.SIGSTOP)
        redis.delete(*[priority_list("speaker.mei", step) for step in PRIORITY_STEPS])
        worker.signal_all(signal.SIGCONT)
        ended(client, job, undisturbed)


@pytest.mark.slow
@pytest.mark.parametrize("how", ["full", "a replica"])
@pytest.mark.parametrize("state", [State.RUNNING, State.ASSEMBLING])
def test_redis_takes_no_writes_for_a_while(
    client: Client, server: RedisServer, redis: Redis, store: str, undisturbed: str, how: str, state: State
) -> None:
    """Nobody need start the worker again, and the engine stays in memory."""
    with Worker(server.url, store, settings=FAST) as worker:
        child = worker.child()
        job = in_the_middle(client, worker)
        wait_until(lambda: redis.hget(f"koebin:job:{job}", "state") == state.encode())
        try:
            if how == "full":
                redis.config_set("maxmemory", "1")
            else:
                redis.replicaof("127.0.0.1", "1")
            worker.wait_for_log("full or read-only")
            time.sleep(2 * TIMEOUT)
        finally:
            redis.config_set("maxmemory", "0")
            redis.replicaof("NO", "ONE")
        ended(client, job, undisturbed)
        assert (worker.process.poll(), worker.child()) == (None, child)
        assert not redis.keys("koebin:attempt:*")


@pytest.mark.slow
def test_redis_forgets_everything(client: Client, server: RedisServer, store: str, undisturbed: str) -> None:
    with Worker(server.url, store, settings=FAST) as worker:
        job = in_the_middle(client, worker)
        server.kill()
        server.start()
        wait_until(lambda: bool(client.fleet().workers))
        assert client.resume(job)
        ended(client, job, undisturbed)


@pytest.mark.slow
def test_waiting_outlives_a_redis_that_comes_back_empty(
    client: Client, server: RedisServer, store: str, undisturbed: str
) -> None:
    with Worker(server.url, store, settings=FAST) as worker, ThreadPoolExecutor(1) as pool:
        job = in_the_middle(client, worker)
        waiting = pool.submit(ended, client, job, undisturbed)
        server.kill()
        time.sleep(2.0)
        server.start()
        waiting.result(PATIENCE)


@pytest.mark.slow
def test_a_dropped_connection_starts_nothing_twice(
    client: Client, server: RedisServer, redis: Redis, store: str, undisturbed: str
) -> None:
    with Worker(server.url, store, settings=FAST) as worker:
        job = in_the_middle(client, worker)
        redis.client_kill_filter(_type="normal", skipme=True)
        ended(client, job, undisturbed)
        done = [json.loads(p.read_text()) for p in Path(store.removeprefix("file://")).glob(f"jobs/{job}/done/*.json")]
        assert sum(document["rendered"] for document in done) == SENTENCES


@pytest.mark.slow
def test_a_long_task_runs_once(client: Client, server: RedisServer, redis: Redis, store: str) -> None:
    """Many times the visibility timeout long, with a second worker waiting for it."""
    short = {"visibility_timeout": 2, "sweep_interval": 0.5}
    with Worker(server.url, store, settings=short), Worker(server.url, store, settings=short):
        texts = "".join(
            f"これはとても長い仕事の{n}番目の文で、静かに最後まで読まれるのを待っています。" for n in range(36)
        )
        result = client.app.send_task(
            "koebin.synthesize",
            args=[{"text": texts[:5000], "speaker": "mei", "store": store}],
            queue="speaker.mei",
            task_id="long",
        )
        leases = set()
        while not result.ready():
            leases.add(redis.get(redis_keys.lease("long")))
            result.state  # noqa: B018 - asks the backend
        assert len(leases - {None}) == 1
        assert chunk_task("a", 1) == "a/1"
        assert result.get()["segments"]["reused"] == 0
