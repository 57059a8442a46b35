"""Search for lost work: what it finds, what it costs, and that many workers do nothing twice."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator

import pytest
from celery import Celery
from redis import Redis

from koebin.tasks import redis_keys
from koebin.tasks.broker.celery_config import configure, sender
from koebin.tasks.broker.delayed_messages import Message
from koebin.tasks.broker.fleet import Announcement, ServedSpeaker, announce
from koebin.tasks.broker.leases import Leases
from koebin.tasks.contracts import SYNTHESIZE
from koebin.tasks.jobs.ledger import Ledger, LedgerChunk, State
from koebin.tasks.redis_keys import chunk_task, speaker_queue
from koebin.worker.celery_ext.held_leases import HeldLeases
from koebin.worker.parent.repeating_thread import RepeatingThread
from koebin.worker.parent.requeue_lost import LostWork
from koebin.worker.parent.supervisor import Supervisor
from tests.servers.redis import RedisServer
from tests.servers.slow import SlowNetwork
from tests.servers.worker import wait_until

MEI = ServedSpeaker("mei", ("Neutral",), 48000, "m1", 4.0)


def enter(redis: Redis, job: str, chunks: int, speaker: str = "mei") -> None:
    fields = {
        "store": "file:///s",
        "created": time.time(),
        "priority": 6,
        "chunks": chunks,
        "segments": chunks,
        "seconds": 30.0 * chunks,
        "speakers": json.dumps({speaker: "m1"}),
        "engine_revision": "e1",
    }
    assert Ledger(redis).create(job, fields, [LedgerChunk(n, speaker, 30.0) for n in range(chunks)])


@pytest.fixture
def send(redis_server: RedisServer) -> Iterator[Callable[[Message], None]]:
    app = Celery("test")
    configure(app, broker=redis_server.url, result_backend="", visibility_timeout=30.0)
    yield sender(app)
    app.close()


def search(redis: Redis, send: Callable[[Message], None]) -> LostWork:
    return LostWork(redis, Leases(redis, 30.0), send, 0.5)


def queued(redis: Redis) -> list[str]:
    rows = redis.lrange(redis_keys.priority_list(speaker_queue("mei"), 6), 0, -1)
    return sorted(json.loads(row)["headers"]["id"] for row in rows)


def test_chunks_go_into_the_queue_and_a_lost_one_comes_back_once(redis: Redis, send: Callable[[Message], None]) -> None:
    announce(redis, Announcement("w", "e1", 1, True, (MEI,)))
    enter(redis, "book", 5)
    one, two = search(redis, send), search(redis, send)
    assert [one.run(), two.run()] == [2, 0], "the second does not lead"
    assert queued(redis) == ["book/0", "book/1"]
    for _ in range(6):
        assert one.run() + two.run() == 0, "what is in the queue is not lost"

    redis.delete(redis_keys.priority_list(speaker_queue("mei"), 6))
    sent = [one.run() + two.run() for _ in range(6)]
    assert sum(sent) == 2
    assert queued(redis) == ["book/0", "book/1"]


def test_another_leads_as_soon_as_the_first_ends_and_a_leader_that_is_gone_does_not_last(
    redis: Redis, send: Callable[[Message], None]
) -> None:
    announce(redis, Announcement("w", "e1", 1, True, (MEI,)))
    one, two = search(redis, send), search(redis, send)
    one.run()
    enter(redis, "book", 1)
    assert two.run() == 0
    one.end()
    assert two.run() == 1
    wait_until(lambda: not redis.exists(redis_keys.REQUEUE_LOCK), 10)  # the second is silent from now on
    assert one.run() == 0
    assert redis.exists(redis_keys.REQUEUE_LOCK)


def test_a_leased_a_held_and_a_delayed_chunk_are_not_lost(redis: Redis, send: Callable[[Message], None]) -> None:
    announce(redis, Announcement("w", "e1", 2, True, (MEI,)))
    enter(redis, "book", 4)
    one = search(redis, send)
    assert one.run() == 4
    name = redis_keys.priority_list(speaker_queue("mei"), 6)
    rows = {json.loads(row)["headers"]["id"]: row for row in redis.lrange(name, 0, -1)}
    redis.delete(name)
    assert Leases(redis, 30.0).acquire(chunk_task("book", 0))
    redis.hset(redis_keys.UNACKED, "tag", b"[" + rows["book/1"] + b', "", "speaker.mei"]')
    delayed = ["koebin.synthesize_chunk", "book/2", {}, "speaker.mei", 6]
    redis.zadd(redis_keys.DELAYED, {json.dumps(delayed): time.time() + 3600})
    assert sum(one.run() for _ in range(5)) == 1
    assert queued(redis) == ["book/3"]


def test_a_lost_assembly_is_queued_again(redis: Redis, send: Callable[[Message], None]) -> None:
    announce(redis, Announcement("w", "e1", 1, True, (MEI,)))
    enter(redis, "book", 1)
    ledger = Ledger(redis)
    ledger.move_to_open("book", "mei", 1)
    assert ledger.mark_done("book", 0, "mei") == "ASSEMBLE"
    one = search(redis, send)
    assert sum(one.run() for _ in range(4)) == 1
    assert redis.llen(redis_keys.priority_list("assemble", 6)) == 1
    ledger.end("book", State.FAILED)


def test_a_job_says_what_it_waits_for(redis: Redis, send: Callable[[Message], None]) -> None:
    announce(redis, Announcement("w", "e2", 1, False, (MEI,)))
    enter(redis, "book", 1)
    search(redis, send).run()
    waiting = Ledger(redis).entry("book").waiting
    assert "needs a worker for mei@m1/e1" in waiting
    assert "mei@m1/e2" in waiting


def test_what_a_job_waits_for_is_read_again_only_if_it_may_have_changed(
    redis: Redis, redis_server: RedisServer, send: Callable[[Message], None]
) -> None:
    announce(redis, Announcement("w", "e2", 1, True, (MEI,)))
    for number in range(50):
        enter(redis, f"job{number}", 1)
    with SlowNetwork(redis_server.port) as network:
        near: Redis = Redis(port=network.port)
        lost = LostWork(near, Leases(near, 30.0), send, 5.0)
        for _ in range(3):
            lost.run()
        received = network.received
        lost.run()
        assert network.received - received < 10_000  # the rows of the jobs, not their entries
        announce(redis, Announcement("w", "e2", 1, True, (MEI,)))
        announce(redis, Announcement("x", "e3", 1, True, (MEI,)))
        Ledger(redis).wait_for("job1", "something else")
        lost.run()
        assert all("mei@m1/e3" in Ledger(redis).entry(job).waiting for job in ("job0", "job1"))
        near.close()


def test_ten_thousand_jobs_over_a_network_cost_few_round_trips_and_nothing_twice(
    redis: Redis, redis_server: RedisServer, send: Callable[[Message], None]
) -> None:
    announce(redis, Announcement("w", "e1", 1, True, (MEI,)))
    enter(redis, "first", 2)
    fields = redis.hgetall("koebin:job:first")
    pipe = redis.pipeline(transaction=False)
    for number in range(10_000):
        name = f"job{number}"
        pipe.hset(f"koebin:job:{name}", mapping=fields)
        pipe.zadd(f"koebin:job:{name}:open:mei", {"0": 1, "1": 1})
        for chunk in (0, 1):
            pipe.set(redis_keys.lease(chunk_task(name, chunk)), "x")
        pipe.zadd(redis_keys.JOBS, {name: number})
    pipe.execute()
    with SlowNetwork(redis_server.port, 0.0015) as network:
        far: Redis = Redis(port=network.port)
        lost = LostWork(far, Leases(far, 30.0), send, 5.0)
        lost.run()
        asked, received = network.questions, network.received
        assert lost.run() == 0
        assert network.questions - asked < 40
        assert network.received - received < 200_000
        far.close()


def test_a_hundred_thousand_queued_texts_are_not_read_whole(
    redis: Redis, redis_server: RedisServer, send: Callable[[Message], None]
) -> None:
    announce(redis, Announcement("w", "e1", 1, True, (MEI,)))
    send(Message(SYNTHESIZE, "text", {"text": "あ" * 200, "speaker": "mei"}, speaker_queue("mei"), 6))
    name = redis_keys.priority_list(speaker_queue("mei"), 6)
    (row,) = redis.lrange(name, 0, -1)
    for _ in range(100):
        redis.lpush(name, *[row] * 1000)
    enter(redis, "book", 3)
    with SlowNetwork(redis_server.port) as network:
        near: Redis = Redis(port=network.port)
        lost = LostWork(near, Leases(near, 30.0), send, 5.0)
        assert lost.run() == 2
        for _ in range(50):
            received = network.received
            assert lost.run() == 0
            assert network.received - received < 20_000
        near.close()


def test_leases_are_renewed_while_everything_else_hangs(redis: Redis) -> None:
    held = HeldLeases(Leases(redis, 1.0), Ledger(redis))
    hang, hanging = threading.Event(), threading.Event()

    def hangs() -> None:
        hanging.set()
        hang.wait(60)

    supervisor = Supervisor(
        held, 0.1, [RepeatingThread("lost-work", hangs, 0.1), RepeatingThread("announcer", hangs, 0.1)]
    )
    supervisor.start()
    try:
        assert held.acquire("text", "tag", 60.0)
        assert hanging.wait(10)
        acquired = time.monotonic()
        wait_until(lambda: time.monotonic() - acquired > 3.0, 10)  # three times as long as a lease lasts
        assert redis.exists(redis_keys.lease("text"))
    finally:
        hang.set()
        supervisor.end()
    assert not redis.exists(redis_keys.lease("text"))
