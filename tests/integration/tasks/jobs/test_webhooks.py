"""Webhooks against a real Redis and a real HTTP server, with the thread's own steps called one by one."""

from __future__ import annotations

import hashlib
import hmac
import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
from redis import Redis

from koebin.engine.errors import InvalidOption
from koebin.producers.client import Client
from koebin.tasks import redis_keys, store_keys
from koebin.tasks.contracts import PlannedSpeaker, dump
from koebin.tasks.jobs.ledger import Ledger, LedgerChunk, State
from koebin.tasks.jobs.outcome import JobOutcome
from koebin.tasks.jobs.planning import Target
from koebin.tasks.jobs.recovery import enter
from koebin.tasks.jobs.submission import JobOptions, submit
from koebin.tasks.jobs.webhooks import MAX_ATTEMPTS, Webhooks, check_webhook
from koebin.tasks.script import Passage, Script
from koebin.tasks.settings import Settings
from koebin.tasks.stores.uri import open_store
from koebin.worker.parent.webhook_sender import WebhookSender
from tests.chaos.arena import Supervised
from tests.chaos.worker import IMPORTED
from tests.servers.ports import free_ports
from tests.servers.redis import RedisServer
from tests.servers.s3 import S3Server
from tests.servers.waiting import PATIENCE, wait_until

SECRET = "s3cret"


@dataclass
class Receiver:
    """What a receiver was sent; ``answers`` are used up from the front, then 200."""

    url: str = ""
    answers: list[int] = field(default_factory=list)
    got: list[tuple[dict[str, str], bytes]] = field(default_factory=list)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    found = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            found.got.append((dict(self.headers), body))
            status = found.answers.pop(0) if found.answers else 200
            self.send_response(status)
            if status == 302:
                self.send_header("Location", found.url)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    found.url = f"http://127.0.0.1:{server.server_address[1]}/hook?token=t0ken"
    yield found
    server.shutdown()
    server.server_close()
    thread.join()


def ended(redis: Redis, folder: Path, url: str, job: str = "j1") -> Ledger:
    """A job with a webhook that has just ended."""
    ledger = Ledger(redis)
    fields: dict[str, Any] = {"store": folder.as_uri(), "created": time.time(), "priority": 6, "chunks": 1}
    fields |= {"segments": 1, "speakers": '{"mei": "m1"}', "engine_revision": "e1", "title": "題", "webhook": url}
    ledger.create(job, fields, [LedgerChunk(0, "mei", 1.0)])
    ledger.end(job, State.FAILED, "理由")
    return ledger


def webhook_sender(redis: Redis, *, private: bool = True) -> WebhookSender:
    return WebhookSender(Webhooks(redis), open_store, secret=SECRET, private=private, interval_seconds=1.0)


def make_due(redis: Redis) -> None:
    for job in redis.zrange(redis_keys.WEBHOOKS, 0, -1):
        redis.zadd(redis_keys.WEBHOOKS, {job: time.time() - 1})


def verify(secret: str, header: str, body: bytes, tolerance: float = 300.0) -> bool:
    """As the documentation tells receivers to."""
    parts = dict(part.split("=", 1) for part in header.split(","))
    expected = hmac.new(secret.encode(), parts["t"].encode() + b"." + body, hashlib.sha256).hexdigest()
    fresh = abs(time.time() - int(parts["t"])) <= tolerance
    return fresh and hmac.compare_digest(expected, parts["v1"])


def test_the_end_of_a_job_is_told_once_and_signed(redis: Redis, tmp_path: Path, receiver: Receiver) -> None:
    ledger = ended(redis, tmp_path, receiver.url)
    assert webhook_sender(redis).deliver_due() == 1
    assert webhook_sender(redis).deliver_due() == 0
    headers, body = receiver.got[0]
    assert len(receiver.got) == 1
    assert verify(SECRET, headers["Koebin-Signature"], body)
    assert not verify(SECRET, headers["Koebin-Signature"], body + b" ")
    document = json.loads(body)
    assert (document["job"], document["state"], document["error"]) == ("j1", "FAILED", "理由")
    assert document["id"] == headers["Koebin-Event-Id"]
    assert ledger.entry("j1").webhook_state.startswith("delivered")
    assert redis.zcard(redis_keys.WEBHOOKS) == 0


def test_a_worker_whose_clock_is_wrong_signs_with_the_right_time(
    redis: Redis, tmp_path: Path, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended(redis, tmp_path, receiver.url)
    true = time.time
    monkeypatch.setattr(time, "time", lambda: true() - 600.0)
    assert webhook_sender(redis).deliver_due() == 1
    monkeypatch.undo()
    ((headers, body),) = receiver.got
    assert verify(SECRET, headers["Koebin-Signature"], body)


def test_the_result_is_told_from_the_store(redis: Redis, tmp_path: Path, receiver: Receiver) -> None:
    ended(redis, tmp_path, receiver.url)
    stored = JobOutcome(job="j1", state=State.FAILED, error="as stored")
    open_store(tmp_path.as_uri()).put(store_keys.result("j1"), dump(stored))
    assert webhook_sender(redis).deliver_due() == 1
    assert json.loads(receiver.got[0][1])["files"] == []


@pytest.mark.parametrize("status", [302, 404, 500])
def test_what_is_not_taken_is_told_again_under_the_same_id(
    redis: Redis, tmp_path: Path, receiver: Receiver, status: int
) -> None:
    ledger = ended(redis, tmp_path, receiver.url)
    receiver.answers = [status]
    assert webhook_sender(redis).deliver_due() == 0
    assert str(status) in ledger.entry("j1").webhook_state
    assert webhook_sender(redis).deliver_due() == 0, "it waits for its time"
    make_due(redis)
    assert webhook_sender(redis).deliver_due() == 1
    assert len({headers["Koebin-Event-Id"] for headers, _ in receiver.got}) == 1
    assert len(receiver.got) == 2


def test_a_worker_that_dies_while_telling_loses_nothing(redis: Redis, tmp_path: Path, receiver: Receiver) -> None:
    ended(redis, tmp_path, receiver.url)
    assert Webhooks(redis).claim() == ["j1"]  # and then the process is gone
    assert webhook_sender(redis).deliver_due() == 0
    make_due(redis)
    assert webhook_sender(redis).deliver_due() == 1


def test_an_end_that_redis_lost_is_told_again_under_the_same_id(
    redis: Redis, tmp_path: Path, receiver: Receiver
) -> None:
    store = open_store(tmp_path.as_uri())
    target = Target(PlannedSpeaker(model_revision="m1", sample_rate_hz=24_000), "e1", ("Neutral",), 10.0)
    script = Script([Passage("一つ目です。", "mei")])
    job_options = JobOptions(webhook=receiver.url)
    manifest = submit(redis, store, lambda _: None, "j1", script, job_options, {"mei": target})
    store.put(store_keys.result("j1"), dump(JobOutcome(job="j1", state=State.FAILED, error="理由")))
    Ledger(redis).end("j1", State.FAILED, "理由")
    assert webhook_sender(redis).deliver_due() == 1
    redis.flushall()
    assert not enter(redis, store, lambda _: None, manifest)
    assert Ledger(redis).state("j1") is State.FAILED
    assert webhook_sender(redis).deliver_due() == 1
    assert not enter(redis, store, lambda _: None, manifest)
    assert webhook_sender(redis).deliver_due() == 0, "Redis knows by now that it was told"
    assert len({headers["Koebin-Event-Id"] for headers, _ in receiver.got}) == 1


def test_it_is_given_up_in_the_end(
    redis: Redis, tmp_path: Path, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    ledger = ended(redis, tmp_path, receiver.url)
    receiver.answers = [500] * MAX_ATTEMPTS
    for _ in range(MAX_ATTEMPTS):
        make_due(redis)
        webhook_sender(redis).deliver_due()
    assert ledger.entry("j1").webhook_state.startswith(f"given up after {MAX_ATTEMPTS} attempts")
    assert not redis.exists(redis_keys.WEBHOOKS, "koebin:webhooks:attempts")
    assert "t0ken" not in caplog.text + ledger.entry("j1").webhook_state


def test_private_addresses_are_refused(redis: Redis, tmp_path: Path, receiver: Receiver) -> None:
    ledger = ended(redis, tmp_path, receiver.url)
    ended(redis, tmp_path, receiver.url.replace("127.0.0.1", "localhost"), "j2")
    assert webhook_sender(redis, private=False).deliver_due() == 0
    assert receiver.got == []
    assert "private" in ledger.entry("j1").webhook_state
    assert "private" in ledger.entry("j2").webhook_state


def test_a_job_that_lives_again_is_not_told(redis: Redis, tmp_path: Path, receiver: Receiver) -> None:
    ledger = ended(redis, tmp_path, receiver.url)
    ledger.forget("j1")
    assert webhook_sender(redis).deliver_due() == 0
    assert receiver.got == []
    assert redis.zcard(redis_keys.WEBHOOKS) == 0


@pytest.mark.slow
def test_a_worker_that_tells_imports_nothing_by_it(
    redis_server: RedisServer, s3_server: S3Server, receiver: Receiver
) -> None:
    """Nor does another thread of its: a pool process forked while one imports may wait for the lock for ever."""
    (port,) = free_ports(1)
    stored: dict[str, Any] = s3_server.settings()
    settings = {**stored, "metrics_port": port, "webhook_private": True, "sweep_interval": 0.5}
    with (
        Supervised(redis_server.url, stored["store"], settings=settings, variables={"CHAOS_IMPORTS": "1"}) as worker,
        Client(settings=Settings(broker_url=redis_server.url, **stored)) as client,
    ):
        job = client.submit(
            "一つ目です。", job_options=JobOptions(webhook=receiver.url.replace("127.0.0.1", "localhost"))
        )
        assert client.wait(job, PATIENCE).state is State.SUCCEEDED
        wait_until(lambda: client.status(job).webhook.startswith("delivered"))
        with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=PATIENCE) as answer:
            assert b"koebin_worker" in answer.read()
        assert [line for line in worker.text().splitlines() if line.startswith(IMPORTED)] == []


def test_a_host_that_does_not_answer(redis: Redis, tmp_path: Path, receiver: Receiver) -> None:
    ledger = ended(redis, tmp_path, "http://127.0.0.1:1/")
    assert webhook_sender(redis).deliver_due() == 0
    assert "ConnectError" in ledger.entry("j1").webhook_state


@pytest.mark.parametrize(
    "url", ["ftp://a/b", "http://", "https://u:p@host/", "https://host/#x", "https://h/ x", "https://ほ/", "x" * 3000]
)
def test_addresses_that_are_none(url: str) -> None:
    with pytest.raises(InvalidOption):
        check_webhook(url)


STRANGE = [
    "http://999.999.999.999/x",
    "http://[::1/",
    "http://[v1.x]/",
    "http://0x7f.1/",
    "http://1.2.3/",
    "http://a..b/",
    "http://-a/",
    "http://xn--/",
    "http://%41/",
    "http://*.example/",
    "http://a:99999/",
    f"http://{'a' * 64}.example/",
    "http://[fe80::1%25eth0]/",
]


@pytest.mark.parametrize("url", STRANGE)
def test_hosts_that_are_none_are_refused_at_submission(url: str) -> None:
    with pytest.raises(InvalidOption):
        check_webhook(url)


@pytest.mark.parametrize(
    "url", ["http://10.0.0.1:8080/x", "https://[2001:db8::1]/", "https://a_b.example./", "http://h"]
)
def test_hosts_that_are_some_are_taken(url: str) -> None:
    assert check_webhook(url) == url


@pytest.mark.slow
def test_one_that_cannot_be_delivered_silences_no_other_and_is_given_up(
    redis: Redis, tmp_path: Path, receiver: Receiver
) -> None:
    """As an older version has let them in, and one whose job cannot be read any more."""
    bad = [f"bad-{number}" for number in range(len(STRANGE))]
    for job, url in zip(bad, STRANGE, strict=True):
        ended(redis, tmp_path, url, job)
    good = [f"good-{number}" for number in range(3)]
    for job in good:
        ledger = ended(redis, tmp_path, receiver.url, job)
    ended(redis, tmp_path, receiver.url, "unreadable")
    redis.hset(redis_keys.job("unreadable"), "chunks", "many")
    delivered = 0
    for _ in range(MAX_ATTEMPTS + 4):
        make_due(redis)
        delivered += webhook_sender(redis).deliver_due()
    assert delivered == 3
    assert all(ledger.entry(job).webhook_state.startswith("delivered") for job in good)
    for _ in range(MAX_ATTEMPTS * 3):
        make_due(redis)
        webhook_sender(redis).deliver_due()
    assert redis.zcard(redis_keys.WEBHOOKS) == 0
    assert all("given up" in ledger.entry(job).webhook_state for job in bad)
