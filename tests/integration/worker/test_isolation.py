"""Strangers in the same Redis: forged messages, other applications, other users; and who is served first."""

from __future__ import annotations

import json
import os
import pickle
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from redis import Redis

from koebin.engine.errors import ConfigurationError
from koebin.producers.client import Client
from koebin.tasks.jobs.ledger import State
from koebin.tasks.script import Passage, Script
from koebin.tasks.settings import Settings
from koebin.worker.exits import DEAF
from tests.chaos.arena import Supervised
from tests.integration.queue_texts import numbered
from tests.integration.worker.hostile_messages import envelope
from tests.servers.redis import RedisServer
from tests.servers.tls import TlsFront
from tests.servers.waiting import PATIENCE, wait_until
from tests.servers.worker import ROOT, Worker

pytestmark = [pytest.mark.xdist_group("isolation")]

FAST = {"visibility_timeout": 3, "sweep_interval": 0.5}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> str:
    return (tmp_path_factory.mktemp("isolation") / "store").as_uri()


@pytest.fixture(scope="module")
def worker(server: RedisServer, store: str) -> Iterator[Worker]:
    with Supervised(server.url, store, "mei", settings=FAST, variables={}) as running:
        yield running


@pytest.fixture
def redis(server: RedisServer) -> Iterator[Redis]:
    client: Redis = Redis.from_url(server.url)
    yield client
    client.close()


@pytest.fixture
def client(server: RedisServer, store: str, worker: Worker) -> Iterator[Client]:
    with Client(settings=Settings(broker_url=server.url, store=store, visibility_timeout=3)) as connected:
        yield connected


def chunk_request(where: str, **changes: object) -> dict[str, object]:
    request: dict[str, object] = {"job": "forged", "chunk": 0, "speaker": "mei", "model_revision": "x"}
    return request | {"engine_revision": "y", "store": where} | changes


def half_of_a_pair(task: str) -> Iterator[str]:
    """JSON may spell half of a surrogate pair, and no UTF-8 can hold it."""
    yield json.dumps("\ud800")
    yield json.dumps(envelope(task, "\ud800"))
    yield json.dumps(envelope(task, chunk_request("file:///out", job="\ud800")))
    yield json.dumps(envelope("\ud800", {}))
    sound = envelope(task, {})
    yield json.dumps(sound | {"body": "\ud800", "properties": {**sound["properties"], "body_encoding": None}})
    yield json.dumps(sound | {"headers": {"task": task, "id": "\ud800"}})
    for name, value in (("delivery_tag", "\ud800"), ("delivery_info", {"exchange": "", "routing_key": "\ud800"})):
        yield json.dumps(sound | {"properties": {**sound["properties"], name: value}})


def test_forged_messages_are_parked_and_the_worker_goes_on(
    client: Client, redis: Redis, store: str, worker: Worker, tmp_path: Path
) -> None:
    good = client.targets(["mei"])["mei"]
    revisions = {"model_revision": good.planned.model_revision, "engine_revision": good.engine_revision}
    tampered = {"segments": [{"key": "0" * 64, "text": "改竄です。"}]}
    chunk = "koebin.synthesize_chunk"
    forged = [
        "this is not JSON",
        b"\xff\xfe\x00",
        "[]",
        "17",
        json.dumps({"body": "x"}),
        json.dumps(envelope(chunk, {}) | {"properties": {}}),
        json.dumps(envelope(chunk, {}) | {"headers": {}}),
        json.dumps(envelope(chunk, {}) | {"headers": {"task": ["a"], "id": {}}}),
        json.dumps(envelope(chunk, {}, headers={"task": chunk, "id": "t", "timelimit": "x", "expires": []})),
        json.dumps(envelope("os.system", "true")),
        json.dumps(envelope(chunk, chunk_request(store, version=2))),
        json.dumps(envelope(chunk, chunk_request(store, job="../../etc"))),
        json.dumps(envelope(chunk, chunk_request(store, **revisions, **tampered))),
        json.dumps(envelope(chunk, chunk_request(tmp_path.as_uri(), **revisions))),
        json.dumps(envelope(chunk, "no object")),
        *half_of_a_pair(chunk),
        json.dumps(envelope(chunk, {"text": "長" * (3 << 20)})),
        json.dumps(
            envelope(
                chunk,
                None,
                body=pickle.dumps([[os.getcwd()], {}, {}]),
                **{"content-type": "application/x-python-serialize", "content-encoding": "binary"},
            )
        ),
    ]
    parked_before = len(client.unreadable_messages())
    for message in forged:
        redis.lpush("speaker.mei", message)
    wait_until(
        lambda: len(client.unreadable_messages()) - parked_before >= len(forged),
        what=lambda: json.dumps([row["reason"] for row in client.unreadable_messages()], ensure_ascii=False, indent=1),
    )
    reasons = [row["reason"] for row in client.unreadable_messages()]
    assert sum("too long" in reason for reason in reasons) == 1, reasons
    assert client.wait(client.submit("それでも声は届きます。"), PATIENCE).state is State.SUCCEEDED
    assert worker.process.poll() is None
    assert not list(tmp_path.iterdir())
    wait_until(lambda: not redis.exists("koebin.unacked"), what="a message is left unacknowledged")
    time.sleep(0.5)
    assert len(client.unreadable_messages()) - parked_before == len(forged), (
        "one came back, as if nobody had acknowledged it"
    )


@pytest.mark.slow
def test_a_forged_message_cannot_end_or_tick_a_live_job(client: Client, redis: Redis, store: str) -> None:
    job = client.submit(numbered(40))
    entry = client.ledger.entry(job)
    common = {"job": job, "model_revision": entry.speakers["mei"], "engine_revision": entry.engine_revision}
    for changes in ({"chunk": 900}, {"store": "file:///etc"}, {"segments": [{"key": "0" * 64, "text": "改竄。"}]}):
        message = envelope("koebin.synthesize_chunk", chunk_request(store, **common) | changes)
        redis.rpush("speaker.mei", json.dumps(message))
    for where in (store, "file:///etc"):
        redis.rpush("assemble", json.dumps(envelope("koebin.assemble", {"job": job, "store": where})))
    outcome = client.wait(job, PATIENCE)
    assert outcome.state is State.SUCCEEDED
    assert outcome.segments.total == 40


@pytest.mark.slow
def test_a_stock_application_in_the_same_database_is_left_alone(
    client: Client, server: RedisServer, redis: Redis, tmp_path: Path
) -> None:
    """Its task runs several of our visibility timeouts long; it must run once, and its names stay its own."""
    code = """
        import sys, time
        from celery import Celery
        app = Celery("stranger", broker=sys.argv[1], backend=sys.argv[1])
        app.conf.update(task_acks_late=True, worker_prefetch_multiplier=4)
        @app.task(name="stranger.sleep")
        def sleep(path):
            open(path, "a").write("started\\n")
            time.sleep(15)
            open(path, "a").write("ended\\n")
        if __name__ == "__main__":
            app.worker_main(["worker", "--pool=solo", "--loglevel=WARNING", "--queues=stranger"])
    """
    script = tmp_path / "stranger.py"
    script.write_text(textwrap.dedent(code))
    diary = tmp_path / "diary"
    stranger = subprocess.Popen(
        [sys.executable, str(script), server.url], cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        client.app.send_task("stranger.sleep", args=[str(diary)], queue="stranger", ignore_result=True)
        wait_until(diary.exists, what="the stranger did not start")
        assert redis.exists("unacked")
        assert client.wait(client.submit(numbered(40)), PATIENCE).state is State.SUCCEEDED
        wait_until(lambda: "ended" in diary.read_text(), what="the stranger did not end")
        wait_until(lambda: not redis.exists("unacked"), what="the stranger's message is left")
        assert diary.read_text() == "started\nended\n"
    finally:
        stranger.kill()
        stranger.wait()


@pytest.mark.slow
def test_an_interactive_job_overtakes_a_batch(client: Client) -> None:
    batch = client.submit(numbered(300), priority="batch")
    wait_until(lambda: client.status(batch).chunks_done >= 1)
    quick = client.submit("急ぎの一文です。", priority="interactive")
    assert client.wait(quick, PATIENCE).state is State.SUCCEEDED
    status = client.status(batch)
    assert status.state is State.RUNNING, "the batch was faster"
    client.cancel(batch)


@pytest.mark.slow
def test_two_jobs_on_one_speaker_take_turns(client: Client) -> None:
    first = client.submit(numbered(240))
    wait_until(lambda: client.status(first).chunks_done >= 1)
    second = client.submit(numbered(240).replace("文", "行"))
    wait_until(lambda: client.status(second).chunks_done >= 2)
    assert client.status(first).state is State.RUNNING
    client.cancel(first)
    client.cancel(second)


@pytest.mark.slow
@pytest.mark.parametrize("user", ["", "koebin"])
def test_passwords_and_users_work_and_stay_secret(tmp_path: Path, user: str) -> None:
    secret = "himitsu%p@ss"
    store = (tmp_path / "store").as_uri()
    with (
        RedisServer(password=secret, user=user) as guarded,
        Worker(guarded.url, store, settings=FAST) as worker,
        Client(settings=Settings(broker_url=guarded.url, store=store)) as client,
    ):
        assert client.wait(client.submit("合言葉が要ります。"), PATIENCE).state is State.SUCCEEDED
        worker.signal_child(signal.SIGKILL)
        assert client.wait(client.submit("もう一度話します。"), PATIENCE).state is State.SUCCEEDED
        assert worker.stop() == 0
        said = worker.text()
    assert secret not in said
    assert "himitsu" not in said


@pytest.mark.slow
def test_tls_with_a_certificate_of_our_own(tmp_path: Path) -> None:
    store = (tmp_path / "store").as_uri()
    with RedisServer(password="himitsu", user="koebin") as plain, TlsFront(plain.port, tmp_path) as front:
        address = f"rediss://koebin:himitsu@127.0.0.1:{front.port}/0"
        url = f"{address}?ssl_ca_certs={front.certificate}&ssl_cert_reqs=required"
        with (
            Worker(url, store, settings=FAST) as worker,
            Client(settings=Settings(broker_url=url, store=store)) as client,
        ):
            assert client.wait(client.submit("暗号を通して話します。"), PATIENCE).state is State.SUCCEEDED
            assert worker.stop() == 0
            assert "himitsu" not in worker.text()
        with pytest.raises(ConfigurationError, match="certificate is not accepted"):  # nobody vouches for it
            Client(settings=Settings(broker_url=f"{address}?ssl_cert_reqs=required", store=store))


@pytest.mark.slow
def test_processes_are_replaced_without_a_loss(tmp_path: Path) -> None:
    store = (tmp_path / "store").as_uri()
    settings = {**FAST, "max_tasks_per_child": 1}
    with (
        RedisServer() as server,
        Worker(server.url, store, "ken", settings=settings) as worker,
        Client(settings=Settings(broker_url=server.url, store=store, visibility_timeout=3)) as client,
    ):
        first = worker.child()
        outcome = client.wait(client.submit(Script([Passage(numbered(24), "ken")])), PATIENCE)
        assert outcome.state is State.SUCCEEDED
        assert outcome.segments.total == 24
        wait_until(lambda: _is_replaced(worker, first))
        assert not Redis.from_url(server.url).keys("koebin:attempt:*")
        assert sum(document["rendered"] for document in _done(store, outcome.job)) == 24


@pytest.mark.slow
def test_a_process_that_grows_is_replaced_without_a_loss(tmp_path: Path) -> None:
    store = (tmp_path / "store").as_uri()
    with (
        RedisServer() as server,
        Worker(server.url, store, "ken", settings={**FAST, "max_memory_per_child": 60}) as worker,
        Client(settings=Settings(broker_url=server.url, store=store, visibility_timeout=3)) as client,
    ):
        first = worker.child()
        outcome = client.wait(client.submit(Script([Passage(numbered(16), "ken")])), PATIENCE)
        assert outcome.state is State.SUCCEEDED
        wait_until(lambda: _is_replaced(worker, first))
        assert sum(document["rendered"] for document in _done(store, outcome.job)) == 16


def _is_replaced(worker: Worker, first: int) -> bool:
    """False also while one process has gone and the next has not come."""
    try:
        return worker.child() != first
    except RuntimeError:
        return False


def _done(store: str, job: str) -> list[dict[str, Any]]:
    folder = Path(store.removeprefix("file://"))
    return [json.loads(path.read_text()) for path in folder.glob(f"jobs/{job}/done/*.json")]


@pytest.mark.slow
def test_health_is_live_and_ready(server: RedisServer, tmp_path: Path) -> None:
    def health(*args: str) -> int:
        command = [sys.executable, "-P", "-m", "koebin", "health", "--run-dir", str(worker.folder / "run"), *args]
        return subprocess.run(command, cwd=ROOT, check=False, capture_output=True, timeout=PATIENCE).returncode

    store = (tmp_path / "store").as_uri()
    with Worker(server.url, store, "hina", settings=FAST) as worker:
        wait_until(lambda: health() == 0)
        wait_until(lambda: health("--live") == 0)
        worker.signal_all(signal.SIGKILL)
        worker.process.wait()
        assert health("--live") == 1
        worker.start()
        wait_until(lambda: health() == 0)  # the folder of the one that was killed is gone


@pytest.mark.slow
def test_a_worker_whose_first_process_hangs_as_it_loads_ends_itself(redis_server: RedisServer, store: str) -> None:
    """Celery waits for that one for ever."""
    worker = Worker(redis_server.url, store, "mei", settings=FAST | {"load_timeout": 5}).start(ready=False)
    with worker:
        wait_until(lambda: psutil.Process(worker.pid).children())
        worker.signal_child(signal.SIGSTOP)
        assert worker.process.wait(PATIENCE) == DEAF
        assert "no pool process has had a ready engine for 5 s" in worker.text()
        with Worker(redis_server.url, store, "mei", settings=FAST | {"run_dir": worker.folder / "run"}):
            """In the same folder, and with time enough to load on a busy machine."""


@pytest.mark.slow
def test_a_worker_that_has_gone_deaf_ends_itself(tmp_path: Path) -> None:
    store = (tmp_path / "store").as_uri()
    with (
        RedisServer() as server,
        Supervised(server.url, store, "hina", settings=FAST, variables={"CHAOS_DEAF_SECONDS": "4"}) as worker,
        Client(settings=Settings(broker_url=server.url, store=store, visibility_timeout=3)) as client,
    ):
        client.app.control.cancel_consumer("speaker.hina", destination=[f"celery@{worker.name}", worker.name])
        time.sleep(1.0)
        job = client.submit(Script([Passage("誰か聞いていますか。", "hina")]))
        assert worker.process.wait(PATIENCE) == DEAF
        with Worker(server.url, store, "hina", settings=FAST):
            assert client.wait(job, PATIENCE).state is State.SUCCEEDED
