"""Fleet benchmark ``python -m benchmarks.fleet``: what many workers, many jobs and large jobs cost one Redis.

Workers have no engine, and no process each. What they do at Redis is done by the code of their parents: the transport
takes and rests, announcers announce, watchdogs watch, one of them searches for lost work, busy ones renew their leases
and ask whether something more urgent waits.
"""

from __future__ import annotations

import argparse
import heapq
import json
import multiprocessing
import random
import selectors
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from queue import Empty
from typing import Any, Final

from kombu import Connection
from redis import Redis

from koebin.producers.client import Client
from koebin.tasks import redis_keys
from koebin.tasks.broker.delayed_messages import Message
from koebin.tasks.broker.fleet import Announcement, ServedSpeaker
from koebin.tasks.broker.fleet_summary import FleetSummary, serving
from koebin.tasks.broker.leases import Leases
from koebin.tasks.broker.preemption import Preemption
from koebin.tasks.jobs.backlog import backlog
from koebin.tasks.jobs.ledger import Ledger, LedgerChunk, State
from koebin.tasks.redis_keys import speaker_queue
from koebin.tasks.settings import Settings
from koebin.worker.celery_ext.app import create_app
from koebin.worker.celery_ext.held_leases import HeldLeases
from koebin.worker.parent.announcer import Announcer
from koebin.worker.parent.requeue_lost import LostWork
from koebin.worker.parent.supervisor import LoopState
from koebin.worker.parent.watchdog import Watchdog
from tests.servers.redis import RedisServer
from tests.servers.slow import SlowNetwork

ENGINE: Final = "e" * 16
MODEL: Final = "m" * 16
_SLOW_MICROSECONDS: Final = 500
_MOST_SLOW: Final = 10_000
_RESTORE_SECONDS: Final = 3.0
_WATCH_SECONDS: Final = 2.0
_EVENT_SECONDS: Final = 10.0
_LEASE_SECONDS: Final = 5.0
_PREEMPTION_SECONDS: Final = 0.1


@dataclass
class Load:
    """What Redis did in a while."""

    core_percent: float
    commands: float


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fleet", description=__doc__)
    parser.add_argument("--workers", type=int, nargs="*", default=[10, 100, 1000])
    parser.add_argument("--speakers", type=int, default=10, help="of each worker")
    parser.add_argument("--busy", type=int, default=200, help="busy workers, measured beside none")
    parser.add_argument("--seconds", type=float, default=20.0, help="of each measurement")
    parser.add_argument("--jobs", type=int, nargs="*", default=[1000, 10_000])
    parser.add_argument("--chunks", type=int, nargs="*", default=[10_000, 50_000])
    parser.add_argument("--listed", type=int, default=100_000, help="ended jobs that are listed")
    parser.add_argument("--json", default="", help="also write everything to this file")
    args = parser.parse_args()
    found: dict[str, Any] = {}
    print("| workers | idle: % of a core | commands/s | busy | % of a core more | urgent text, median ms | worst ms |")
    print("|---:|---:|---:|---:|---:|---:|---:|", flush=True)
    for workers in args.workers:
        row = found[f"workers {workers}"] = fleet_row(workers, args.speakers, min(args.busy, workers), args.seconds)
        print("| " + " | ".join(str(cell) for cell in row.values()) + " |", flush=True)
    print("\n| live jobs | a search, s | over 3 ms, s | backlog, s | CPU ms of a script | of the backlog's |")
    print("|---:|---:|---:|---:|---:|---:|")
    for jobs in args.jobs:
        row = found[f"jobs {jobs}"] = jobs_row(jobs)
        print("| " + " | ".join(str(cell) for cell in row.values()) + " |", flush=True)
    print(
        "\n| chunks of a job | entered, s | CPU ms of a script | status ms | done and next, ms | longest command, ms |"
    )
    print("|---:|---:|---:|---:|---:|---:|")
    for chunks in args.chunks:
        row = found[f"chunks {chunks}"] = chunks_row(chunks)
        print("| " + " | ".join(str(cell) for cell in row.values()) + " |", flush=True)
    if args.listed:
        found["listed"] = listed_row(args.listed)
        print(
            f"\n{args.listed:,} jobs: a page of 50 in {found['listed']['page ms']} ms, of those FAILED in "
            f"{found['listed']['failed ms']} ms"
        )
    if args.json:
        with open(args.json, "w") as file:
            json.dump(found, file, indent=1)


def fleet_row(workers: int, speakers: int, busy: int, seconds: float) -> dict[str, Any]:
    """What a fleet costs while it is idle, and with some of it busy."""
    with RedisServer() as server, simulated(server.url, workers, speakers, 0):
        redis: Redis = Redis.from_url(server.url, socket_timeout=60)  # an urgent text may wait as long
        wait_for(lambda: redis.scard(redis_keys.WORKERS) == workers)
        time.sleep(5.0)  # until all rest as long as suits so many
        idle = load_of(redis, seconds)
        latencies = sorted(urgent_text(redis, number, speakers) for number in range(20))
    with RedisServer() as server, simulated(server.url, workers, speakers, busy):
        redis = Redis.from_url(server.url)
        wait_for(lambda: redis.scard(redis_keys.WORKERS) == workers)
        time.sleep(5.0)
        loaded = load_of(redis, seconds)
    return {
        "workers": workers,
        "idle": round(idle.core_percent, 1),
        "commands": round(idle.commands),
        "busy": busy,
        "more": round(loaded.core_percent - idle.core_percent, 1),
        "median": round(1000 * latencies[len(latencies) // 2]),
        "worst": round(1000 * latencies[-1]),
    }


@contextmanager
def simulated(url: str, workers: int, speakers: int, busy: int) -> Iterator[None]:
    """Workers in a few processes."""
    processes = max(1, min(4, workers // 100))
    context = multiprocessing.get_context("spawn")
    shares = [range(workers)[number::processes] for number in range(processes)]
    running = [
        context.Process(target=simulate, args=(url, list(share), speakers, busy), daemon=True) for share in shares
    ]
    for process in running:
        process.start()
    try:
        yield
    finally:
        for process in running:
            process.kill()
            process.join()


class Worker:
    """One simulated worker."""

    def __init__(self, url: str, redis: Redis, number: int, speakers: int, busy: bool) -> None:
        settings = Settings(broker_url=url)
        self.name = f"worker-{number}"
        self.busy = busy
        names = [f"speaker{n}" for n in range(speakers)]
        self.queues = [speaker_queue(name) for name in names]
        served = tuple(ServedSpeaker(name, ("Neutral",) * 4, 44100, MODEL, 4.0) for name in names)
        self.loop = LoopState(ticked=time.monotonic(), consuming=tuple(self.queues), child=1)
        self.loop.announcement = Announcement(self.name, ENGINE, 1, False, served, ("wav", "mp3"))
        leases = Leases(redis, settings.visibility_timeout)
        self.held = HeldLeases(leases, Ledger(redis))
        self.announcer = Announcer(redis, self.loop)
        self.watchdog = Watchdog(redis, self.held, self.loop, stuck_seconds=1e9, load_seconds=1e9)
        self.lost = LostWork(redis, leases, _unsent, settings.sweep_interval)
        self.preemption = Preemption(redis, self.queues)
        self.app = create_app(settings)
        options = dict(self.app.conf.broker_transport_options)
        self.connection = Connection(
            url, transport="koebin.worker.celery_ext.transport:Transport", transport_options=options
        )
        self.channel: Any = None
        self.dispatcher: Any = None
        self.redis = redis
        if busy:
            self.held.acquire(f"job{number}/0", "", 60.0)

    def connect(self) -> Any:
        """The socket on which answers come."""
        self.channel = self.connection.channel()
        for queue in self.queues:
            self.channel._active_queues.append(queue)
        self.channel._update_queue_cycle()
        self.channel.client.connection = self.channel.client.connection_pool.get_connection()
        self.channel._brpop_start()
        self.dispatcher = self.app.events.Dispatcher(
            self.connection, hostname=self.name, channel=self.connection.channel()
        )
        return self.channel.client.connection._sock

    def duties(self) -> list[tuple[float, Callable[[], object]]]:
        """What its parent does beside taking messages, and how many seconds between two times."""
        duties: list[tuple[float, Callable[[], object]]] = [
            (1.0, self.announcer.step),
            (_WATCH_SECONDS, self.watchdog._problem),
            (_LEASE_SECONDS, self.held.renew),
            (5.0, self.lost.run),
            (_RESTORE_SECONDS, self.channel.qos.restore_visible),
            (
                _EVENT_SECONDS,
                lambda: self.dispatcher.send("worker-heartbeat", freq=_EVENT_SECONDS, active=int(self.busy)),
            ),
        ]
        return [*duties, (_PREEMPTION_SECONDS, lambda: self.preemption.claim(6))] if self.busy else duties

    def answered(self) -> None:
        """Read an answer, take what came, ask again."""
        with suppress(Empty):
            self.channel._brpop_read()
        for tag in list(self.channel.qos._delivered):
            self.channel.basic_ack(tag)
            self.redis.rpush("benchmark:taken", time.time())
        self.channel._brpop_start()


def _unsent(message: Message) -> None:
    del message


def simulate(url: str, numbers: list[int], speakers: int, busy: int) -> None:
    """Be these workers until killed."""
    redis: Redis = Redis.from_url(url)
    select = selectors.DefaultSelector()
    due: list[tuple[float, int, float, Callable[[], object]]] = []
    for number in numbers:
        worker = Worker(url, redis, number, speakers, number < busy)
        sock = worker.connect()
        if worker.busy:
            worker.channel._in_poll = None  # it takes nothing meanwhile
        else:
            worker.connection.transport.cycle.add(worker.channel)
            _take_messages(worker)
            select.register(sock, selectors.EVENT_READ, worker)
        for seconds, duty in worker.duties():
            heapq.heappush(due, (time.monotonic() + random.random() * min(seconds, 3.0), len(due), seconds, duty))
    while True:
        for key, _ in select.select(max(0.0, min(0.05, due[0][0] - time.monotonic()))):
            key.data.answered()
        while due[0][0] <= time.monotonic():
            at, order, seconds, duty = heapq.heappop(due)
            duty()
            heapq.heappush(due, (max(at + seconds, time.monotonic()), order, seconds, duty))


def _take_messages(worker: Worker) -> None:
    """Hand what comes to the channel's own books, as a consumer does."""

    def deliver(message: Any, queue: str) -> None:
        del queue
        made = worker.channel.Message(message, channel=worker.channel)
        worker.channel.qos.append(made, made.delivery_tag)

    worker.channel.connection._deliver = deliver


def load_of(redis: Redis, seconds: float) -> Load:
    """What the server used."""
    process = redis.info("server")["process_id"]
    before, commands, began = server_seconds(process), redis.info("stats")["total_commands_processed"], time.monotonic()
    time.sleep(seconds)
    after, passed = server_seconds(process), time.monotonic() - began
    return Load(100 * (after - before) / passed, (redis.info("stats")["total_commands_processed"] - commands) / passed)


def urgent_text(redis: Redis, number: int, speakers: int) -> float:
    """Seconds until some idle worker has taken a message of priority 0."""
    time.sleep(random.uniform(0.2, 0.6))
    queue = speaker_queue(f"speaker{number % speakers}")
    properties = {"delivery_tag": f"t{number}", "delivery_info": {"exchange": "", "routing_key": queue}, "priority": 0}
    message = {"body": "e30=", "content-type": "application/json", "content-encoding": "utf-8", "headers": {}}
    redis.delete("benchmark:taken")
    sent = time.time()
    redis.lpush(queue, json.dumps({**message, "properties": {**properties, "body_encoding": "base64"}}))
    taken: Any = redis.blpop(["benchmark:taken"], timeout=10)
    return float(taken[1]) - sent if taken else 10.0


def jobs_row(jobs: int) -> dict[str, Any]:
    """What live jobs cost a search, near and far, and the backlog."""
    with RedisServer() as server:
        redis: Redis = Redis.from_url(server.url)
        fill(redis, jobs)
        FleetSummary(redis).announce(Announcement("w", ENGINE, 1, True, (ServedSpeaker("mei", (), 48000, MODEL, 4.0),)))
        redis.persist(redis_keys.worker("w"))  # on a busy machine it would expire meanwhile
        scripts = Scripts(redis)
        near = seconds_of_search(redis)
        search = scripts.milliseconds()
        began = time.monotonic()
        backlog(redis)
        counted = time.monotonic() - began
        redis.delete(redis_keys.REQUEUE_LOCK)
        with SlowNetwork(server.port, 0.0015) as network:
            far = seconds_of_search(Redis(port=network.port))
        counting = scripts.milliseconds()
    return {
        "jobs": f"{jobs:,}", "near": round(near, 2), "far": round(far, 2), "backlog": round(counted, 2),
        "search script": search, "backlog script": counting,
    }  # fmt: skip


def fill(redis: Redis, jobs: int) -> None:
    """Enter jobs of twenty chunks, of which two are open and leased."""
    pipe = redis.pipeline(transaction=False)
    for number in range(jobs):
        name = f"job{number}"
        key = redis_keys.job(name)
        pipe.hset(key, mapping=job_fields(20, created=number))
        pipe.hset(f"{key}:chunks", mapping={str(n): "mei 30.0" for n in range(20)})
        pipe.zadd(f"{key}:planned:mei", {str(n): n for n in range(2, 20)})
        pipe.zadd(f"{key}:open:mei", {"0": 1, "1": 1})
        pipe.set(redis_keys.lease(f"{name}/0"), "x")
        pipe.set(redis_keys.lease(f"{name}/1"), "x")
        pipe.zadd(redis_keys.JOBS, {name: number})
        if number % 500 == 499:
            pipe.execute()
    pipe.execute()


def job_fields(chunks: int, **more: Any) -> dict[str, Any]:
    return {
        "state": "RUNNING", "store": "file:///s", "created": time.time(), "updated": 0.0, "priority": 6,
        "chunks": chunks, "segments": 20 * chunks, "seconds": 30.0 * chunks, "done": 0,
        "speakers": json.dumps({"mei": MODEL}), "engine_revision": ENGINE, **more,
    }  # fmt: skip


def seconds_of_search(redis: Redis) -> float:
    """Of the second search, when scripts are known."""
    lost = LostWork(redis, Leases(redis, 30.0), _unsent, 5.0)
    lost.run()
    began = time.monotonic()
    lost.run()
    seconds = time.monotonic() - began
    lost.end()
    return seconds


class Scripts:
    """Processor time of the server per script, whose pages are of one size: the wall clock tells of other processes."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._pid = redis.info("server")["process_id"]
        self._calls, self._used = self._count(), server_seconds(self._pid)

    def milliseconds(self) -> float:
        """Of one script on average, since the last question."""
        calls, used = self._count(), server_seconds(self._pid)
        mean = (used - self._used) / max(1, calls - self._calls)
        self._calls, self._used = calls, used
        return round(1000 * mean, 2)

    def _count(self) -> int:
        return int(self._redis.info("commandstats").get("cmdstat_evalsha", {}).get("calls", 0))


def server_seconds(pid: int) -> float:
    """Processor seconds of the server's main thread."""
    return int(Path(f"/proc/{pid}/task/{pid}/schedstat").read_text().split()[0]) / 1e9


def chunks_row(chunks: int) -> dict[str, Any]:
    """What one large job costs."""
    with RedisServer() as server:
        redis: Redis = Redis.from_url(server.url)
        FleetSummary(redis).announce(Announcement("w", ENGINE, 1, True, (ServedSpeaker("mei", (), 48000, MODEL, 4.0),)))
        FleetSummary(redis).count()
        ledger = Ledger(redis)
        scripts = Scripts(redis)
        fields = {name: value for name, value in job_fields(chunks).items() if name != "done"}
        redis.config_set("slowlog-log-slower-than", _SLOW_MICROSECONDS)
        redis.config_set("slowlog-max-len", _MOST_SLOW)
        began = time.monotonic()
        ledger.create("book", fields, [LedgerChunk(n, "mei", 30.0) for n in range(chunks)])
        entered, slice_ = time.monotonic() - began, scripts.milliseconds()
        began = time.monotonic()
        ledger.remaining_seconds(ledger.entry("book"))
        status = time.monotonic() - began
        began = time.monotonic()
        for _ in range(100):
            entry = ledger.entry("book")
            served = serving(redis, entry.speakers, entry.engine_revision)
            for number in ledger.move_to_open("book", "mei", 2 * served.children("mei", MODEL, ENGINE)):
                ledger.mark_done("book", number, "mei", rendered=20, seconds=30.0)
        done = (time.monotonic() - began) / 200
        ledger.end("book", State.CANCELLED)
        longest = max((command["duration"] for command in redis.slowlog_get(_MOST_SLOW)), default=0)
    return {
        "chunks": f"{chunks:,}", "entered": round(entered, 2), "slice": slice_, "status": round(1000 * status, 1),
        "done": round(1000 * done, 2), "longest": round(longest / 1000, 1),
    }  # fmt: skip


def listed_row(jobs: int) -> dict[str, Any]:
    """What a list of many ended jobs takes."""
    with RedisServer() as server:
        redis: Redis = Redis.from_url(server.url)
        pipe = redis.pipeline(transaction=False)
        for number in range(jobs):
            state = "FAILED" if number % 1000 == 0 else "SUCCEEDED"
            pipe.hset(redis_keys.job(f"job{number}"), mapping=job_fields(1, state=state, done=1))
            pipe.zadd(redis_keys.ENDED, {f"job{number}": number})
            if number % 1000 == 999:
                pipe.execute()
        pipe.execute()
        with Client(settings=Settings(broker_url=server.url, store="file:///tmp")) as client:
            began = time.monotonic()
            client.jobs(50)
            page = time.monotonic() - began
            began = time.monotonic()
            client.jobs(50, State.FAILED)
            failed = time.monotonic() - began
    return {"jobs": jobs, "page ms": round(1000 * page, 1), "failed ms": round(1000 * failed, 1)}


def wait_for(done: Callable[[], object], seconds: float = 180.0) -> None:
    deadline = time.monotonic() + seconds
    while not done():
        if time.monotonic() > deadline:
            raise TimeoutError("the workers did not come")
        time.sleep(0.2)


if __name__ == "__main__":
    main()
