"""Single texts that run together: each is acknowledged, fails, and is given back on its own."""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from celery.exceptions import TaskRevokedError
from celery.result import AsyncResult
from redis import Redis

from koebin.producers.client import Client
from koebin.tasks.contracts import SYNTHESIZE
from koebin.tasks.jobs.ledger import State
from koebin.tasks.redis_keys import speaker_queue
from koebin.tasks.settings import Settings
from tests.chaos.arena import Supervised
from tests.chaos.probes import FOLDER, HANDED_OUT, Steps
from tests.integration.queue_texts import numbered
from tests.servers.redis import RedisServer
from tests.servers.waiting import PATIENCE, wait_until
from tests.servers.worker import Worker

pytestmark = [pytest.mark.xdist_group("texts")]

TOGETHER = {"visibility_timeout": 3, "sweep_interval": 0.5, "batch_texts": 8}
CALM = {**TOGETHER, "visibility_timeout": 60}
"""Of a worker whose process may stand still for a while and is not missed."""


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The store of those tests that leave their worker as it was."""
    return tmp_path_factory.mktemp("shared").as_uri()


@pytest.fixture(scope="module")
def worker(server: RedisServer, shared: str) -> Iterator[Worker]:
    with Worker(server.url, shared, settings=CALM) as running:
        yield running


@pytest.fixture(scope="module")
def calm(server: RedisServer, shared: str, worker: Worker) -> Iterator[Client]:
    with Client(settings=Settings(broker_url=server.url, store=shared, visibility_timeout=60)) as connected:
        yield connected


@pytest.fixture
def broker(server: RedisServer) -> str:
    """A database of its own for a test that ends its workers."""
    url = server.database(1)
    Redis.from_url(url).flushdb()
    return url


@pytest.fixture
def client(broker: str, store: str) -> Iterator[Client]:
    with Client(settings=Settings(broker_url=broker, store=store, visibility_timeout=3)) as connected:
        yield connected


def send(client: Client, store: str, text: str, **fields: Any) -> AsyncResult[Any]:
    request = {"text": text, "speaker": "mei", "store": store, **fields}
    return client.app.send_task(SYNTHESIZE, args=[request], queue=speaker_queue("mei"))


def fills(worker: Worker) -> list[tuple[int, int]]:
    """Sentences and texts of each batch."""
    found = re.findall(r"(\d+) sentences of (\d+) texts rendered in one pass", worker.text())
    return [(int(sentences), int(texts)) for sentences, texts in found]


def nothing_is_left(broker: str) -> None:
    redis: Redis = Redis.from_url(broker)
    wait_until(lambda: not redis.keys("koebin:lease:*"), what="a lease is left")
    wait_until(lambda: not redis.exists("koebin.unacked"), what="a message is left unacknowledged")
    assert not redis.keys("speaker.*")
    assert not redis.keys("koebin:attempt:*")


@contextmanager
def held_up(worker: Worker) -> Iterator[None]:
    """Its process stands still meanwhile."""
    child = worker.child()
    os.kill(child, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(child, signal.SIGCONT)


@pytest.mark.slow
def test_full_batches_give_the_bytes_that_each_text_has_alone(
    calm: Client, server: RedisServer, shared: str, worker: Worker, client: Client, broker: str, store: str
) -> None:
    texts = [f"{number}番の荷物です。" for number in range(32)]
    before = len(fills(worker))
    with held_up(worker):
        first = send(calm, shared, "長い文です。" * 40)  # too long to be gathered
        worker.wait_for_log(first.id)
        sent = [send(calm, shared, text) for text in texts]
    together = [result.get(timeout=PATIENCE) for result in sent]
    nothing_is_left(server.url)
    found = fills(worker)[before:]
    assert found  # how full they are is a matter of speed
    assert sum(texts for _, texts in found) <= len(texts)
    assert all(sentences == texts <= 8 for sentences, texts in found)
    assert all(result["segments"] == {"total": 1, "reused": 0} for result in together)

    with Worker(broker, store, assemble=False, settings={**TOGETHER, "batch_texts": 1}) as lone:
        alone = [result.get(timeout=PATIENCE) for result in [send(client, store, text) for text in texts]]
        assert not fills(lone)
    assert [result["sha256"] for result in together] == [result["sha256"] for result in alone]
    assert len({result["sha256"] for result in alone}) == len(texts)


def test_one_that_fails_fails_alone(
    calm: Client, server: RedisServer, shared: str, worker: Worker, tmp_path: Path
) -> None:
    before = len(fills(worker))
    with held_up(worker):
        worker.wait_for_log(send(calm, shared, "長い文です。" * 41).id)
        bad = [
            send(calm, shared, "様式の無い文です。", options={"style": "Angry"}),
            send(calm, (tmp_path / "elsewhere").as_uri(), "よその倉庫です。"),
            send(calm, shared, ""),
            calm.app.send_task(SYNTHESIZE, args=[], queue=speaker_queue("mei")),
        ]
        good = [send(calm, shared, text) for text in ("朝の港です。", "船が出ます。", "朝の港です。")]
    results = [result.get(timeout=PATIENCE) for result in good]
    errors = [str(result.get(timeout=PATIENCE, propagate=False)) for result in bad]
    nothing_is_left(server.url)
    assert sum(texts for _, texts in fills(worker)[before:]) >= 2, "they ran together, as far as they came at once"
    assert results[0]["uri"] == results[2]["uri"] != results[1]["uri"]
    for error, expected in zip(errors, ("Angry", "must not write to that store", "text", "request"), strict=True):
        assert expected in error


def test_what_was_revoked_or_has_expired_is_left_out(
    calm: Client, server: RedisServer, shared: str, worker: Worker
) -> None:
    before = len(fills(worker))
    with held_up(worker):
        full = [send(calm, shared, f"{number}番の手紙です。") for number in range(8)]
        worker.wait_for_log(full[0].id)
        sent = [send(calm, shared, f"{number}番の葉書です。") for number in range(4)]
        late = {"text": "遅れた葉書です。", "speaker": "mei", "store": shared}
        sent.append(calm.app.send_task(SYNTHESIZE, args=[late], queue=speaker_queue("mei"), expires=1.5))
        sent[1].revoke()
        worker.wait_for_log(sent[1].id)
        time.sleep(1.5)
    for result in (sent[1], sent[4]):
        with pytest.raises(TaskRevokedError):
            result.get(timeout=PATIENCE)
    assert all(result.get(timeout=PATIENCE)["uri"] for result in (*full, sent[0], sent[2], sent[3]))
    nothing_is_left(server.url)
    assert sum(texts for _, texts in fills(worker)[before:]) <= 11, "two of thirteen are left out"


@pytest.mark.slow
def test_of_chunks_no_more_than_one_waits(calm: Client, server: RedisServer, worker: Worker) -> None:
    redis: Redis = Redis.from_url(server.url)
    job = calm.submit(numbered(60), wait_seconds=30)
    most = 0
    while calm.status(job).state is State.RUNNING:
        most = max(most, int(redis.hlen("koebin.unacked")))  # type: ignore[arg-type]
        time.sleep(0.02)
    assert calm.wait(job, PATIENCE).state is State.SUCCEEDED
    assert most == 1


@pytest.mark.slow
def test_one_that_kills_its_process_is_found_and_its_neighbours_are_spoken(
    client: Client, broker: str, store: str
) -> None:
    good = [send(client, store, f"{number}番の荷物です。") for number in range(4)]
    poison = send(client, store, "毒の話です。")
    good += [send(client, store, f"{number}番の荷物です。") for number in range(4, 11)]
    with Supervised(broker, store, assemble=False, settings=TOGETHER, variables={"CHAOS_TRAPS": "1"}) as worker:
        assert [result.get(timeout=PATIENCE)["segments"]["total"] for result in good] == [1] * 11
        with pytest.raises(Exception, match="killed its worker's process 3 times"):
            poison.get(timeout=PATIENCE)
        nothing_is_left(broker)
        assert worker.text().count("process lost (1 since") >= 1  # of its batch; which was guilty is not known
        assert worker.text().count("process lost (2 since") == 1  # alone: it was the poison


@pytest.mark.slow
def test_one_that_hangs_fails_no_neighbour(client: Client, broker: str, store: str) -> None:
    good = [send(client, store, f"{number}番の荷物です。") for number in range(3)]
    hanging = send(client, store, "眠りの話です。")
    settings = {**TOGETHER, "time_limit": 4}
    with Supervised(broker, store, assemble=False, settings=settings, variables={"CHAOS_TRAPS": "1"}):
        assert [result.get(timeout=PATIENCE)["segments"]["total"] for result in good] == [1] * 3
        with pytest.raises(Exception, match="time limit"):
            hanging.get(timeout=PATIENCE)
        nothing_is_left(broker)


@pytest.mark.slow
def test_revoking_one_that_runs_ends_the_process_and_the_others_run_again(
    client: Client, broker: str, store: str
) -> None:
    with Supervised(broker, store, assemble=False, settings=TOGETHER, variables={"CHAOS_TRAPS": "1"}) as worker:
        first = send(client, store, "眠りの話です。")
        others = [send(client, store, f"{number}番の荷物です。") for number in range(3)]
        worker.wait_for_log(first.id)  # with those of the others that came in meanwhile
        time.sleep(1.0)
        first.revoke(terminate=True)
        assert [result.get(timeout=PATIENCE)["segments"]["total"] for result in others] == [1] * 3
        with pytest.raises(TaskRevokedError):
            first.get(timeout=PATIENCE)
        nothing_is_left(broker)
        assert "process lost" not in worker.text()


@pytest.mark.slow
def test_told_to_go_it_gives_back_what_no_process_has_begun(client: Client, broker: str, store: str) -> None:
    redis: Redis = Redis.from_url(broker)
    texts = ["".join(f"{n}の{part}番の荷物は、遠い国から船で届きました。" for part in range(4)) for n in range(40)]
    sent = [send(client, store, text) for text in texts]
    with Worker(broker, store, assemble=False, settings={**TOGETHER, "grace_period": 0}) as worker:
        wait_until(lambda: redis.hlen("koebin.unacked") == 16)  # eight at work, eight that wait
        with held_up(worker):
            worker.signal(signal.SIGTERM)
            worker.wait_until_it_drains()
        assert worker.process.wait(PATIENCE) == 0
    assert not redis.keys("koebin:lease:*")
    assert not redis.exists("koebin.unacked")
    assert sum(redis.llen(key) for key in redis.keys("speaker.mei*")) == sum(not result.ready() for result in sent) > 8
    with Worker(broker, store, assemble=False, settings=TOGETHER):
        assert all(result.get(timeout=PATIENCE)["uri"] for result in sent)
        nothing_is_left(broker)


@pytest.mark.slow
def test_an_outage_while_results_are_stored_fails_no_text(broker: str, store: str) -> None:
    with (
        RedisServer() as results,
        Client(settings=Settings(broker_url=broker, result_backend=results.url, store=store)) as client,
        Worker(broker, store, assemble=False, settings={**TOGETHER, "result_backend": results.url}) as worker,
    ):
        with held_up(worker):
            alone = send(client, store, "長い文です。" * 40)
            worker.wait_for_log(alone.id)
            sent = [send(client, store, f"{number}番の荷物です。") for number in range(5)]
            refused = send(client, store, "様式の無い文です。", options={"style": "Angry"})
            results.kill()
        wait_until(lambda: worker.text().count("could not be stored") >= 7)
        results.start()
        assert all(result.get(timeout=PATIENCE)["uri"] for result in (alone, *sent))
        with pytest.raises(Exception, match="Angry"):
            refused.get(timeout=PATIENCE)
        nothing_is_left(broker)
        assert "process lost" not in worker.text()


@pytest.mark.slow
def test_a_worker_that_is_killed_before_it_has_read_a_text_does_not_lose_it(
    client: Client, broker: str, store: str, tmp_path: Path
) -> None:
    steps = Steps(tmp_path)
    with Supervised(broker, store, assemble=False, settings=TOGETHER, variables={FOLDER: str(tmp_path)}) as worker:
        steps.arm(HANDED_OUT)
        sent = send(client, store, "手渡された文です。")
        wait_until(lambda: steps.hit(HANDED_OUT) == worker.pid)
        assert not Redis.from_url(broker).keys("speaker.*")
        worker.signal_all(signal.SIGKILL)
    with Worker(broker, store, assemble=False, settings=TOGETHER):
        assert sent.get(timeout=PATIENCE)["uri"]
        nothing_is_left(broker)


@pytest.mark.slow
def test_dropped_connections_and_a_killed_worker_lose_no_text(client: Client, broker: str, store: str) -> None:
    redis: Redis = Redis.from_url(broker)
    sent = [send(client, store, f"{number}番の荷物は、とても遠い国から届きました。") for number in range(60)]
    keys = [f"celery-task-meta-{result.id}" for result in sent]  # asked for by a connection that is not dropped
    with Worker(broker, store, assemble=False, settings=TOGETHER) as first:
        for done in range(6, 36, 6):
            wait_until(lambda done=done: redis.exists(*keys) > done)
            redis.client_kill_filter(_type="normal", skipme=True)
        first.signal_all(signal.SIGKILL)
    with Worker(broker, store, assemble=False, settings=TOGETHER):
        wait_until(lambda: redis.exists(*keys) == len(keys))
        assert all(result.get(timeout=PATIENCE)["uri"] for result in sent)
        nothing_is_left(broker)
