"""Three workers, one-line tasks over five speakers, two of the workers with a bound on loaded voices.

One is killed and one joins on the way. All texts are done, many of them in batches. Memory is flat, and the backlog is
right whenever it is asked for.
"""

from __future__ import annotations

import json
import re
import shutil
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import psutil
import pytest
from celery.result import AsyncResult
from redis import Redis

from koebin.producers.client import Client
from koebin.tasks import redis_keys
from koebin.tasks.contracts import SYNTHESIZE
from koebin.tasks.jobs.backlog import backlog
from koebin.tasks.priorities import PRIORITY_STEPS
from koebin.tasks.redis_keys import priority_list, speaker_queue
from koebin.tasks.settings import Settings
from tests.chaos.voice import NAME, small_voice
from tests.servers.redis import RedisServer
from tests.servers.waiting import wait_until
from tests.servers.worker import Worker

pytestmark = [pytest.mark.xdist_group("scale"), pytest.mark.timeout(3600)]

BATCH = 8
SPEAKERS = ("mei", "ken", "hina", "sora", "umi")


@pytest.fixture
def broker() -> Iterator[str]:
    with RedisServer() as running:
        yield running.url


def fills(workers: list[Worker]) -> list[int]:
    """How many texts each batch had."""
    logs = "\n".join(worker.text() for worker in workers)
    return [int(found) for found in re.findall(r"sentences of (\d+) texts rendered in one pass", logs)]


def resident_mib(worker: Worker) -> float:
    return float(psutil.Process(worker.child()).memory_info().rss) / 2**20


@pytest.mark.slow
@pytest.mark.parametrize("count", [240, 5000])
def test_one_line_tasks_over_five_speakers(count: int, broker: str, tmp_path: Path) -> None:
    store = (tmp_path / "store").as_uri()
    voices = small_voice(tmp_path / "voices")
    for name in SPEAKERS[3:]:
        shutil.copytree(voices / "onnx/speakers" / NAME, voices / "onnx/speakers" / name)
    voice = voices.as_uri()
    served = ",".join([*SPEAKERS[:3], *(f"{name}={voice}" for name in SPEAKERS[3:])])
    settings = {"visibility_timeout": 5, "sweep_interval": 1, "batch_texts": BATCH, "bert": voice}
    settings |= {"cache": tmp_path / "cache"}
    bounded = {**settings, "max_loaded": 2}
    redis: Redis = Redis.from_url(broker)
    with ExitStack() as stack:
        client = stack.enter_context(Client(settings=Settings(broker_url=broker, store=store)))
        sent = send(client, store, count)
        redis.zadd(redis_keys.SPEAKERS, dict.fromkeys(SPEAKERS, time.time()))  # workers served them before
        assert {name: found.texts for name, found in backlog(redis).items()} == dict.fromkeys(SPEAKERS, count // 5)

        workers = [Worker(broker, store, served, settings=chosen) for chosen in (settings, bounded, bounded)]
        for worker in workers:
            stack.enter_context(worker)
        started = time.monotonic()
        done_when(broker, sent, count // 4)
        early = resident_mib(workers[0])
        workers[1].signal_all(signal.SIGKILL)
        workers.append(stack.enter_context(Worker(broker, store, served, settings=bounded)))
        done_when(broker, sent, count * 3 // 4)
        late = resident_mib(workers[0])
        done_when(broker, sent, count)
        wall = time.monotonic() - started

        assert all(result.successful() for result in sent.values())
        assert len({result.result["uri"] for result in sent.values()}) == count
        wait_until(lambda: not redis.exists("koebin.unacked"), what="a message is left unacknowledged")
        assert not any(found.texts for found in backlog(redis).values())
        assert not redis.keys("koebin:lease:*")
        assert not redis.keys("koebin:attempt:*")
        found = fills(workers)
        print(f"{count} texts in {wall:.0f} s, {count / wall:.1f} a second")
        print(f"{len(found)} batches of {sum(found) / len(found):.1f} of {BATCH} texts")
        print(f"the process of the first worker grew from {early:.0f} to {late:.0f} MiB")
        # How full they are is a matter of speed: on a busy machine texts come in more slowly than one looks for them.
        assert BATCH >= max(found) > 1
        assert late < early * 1.25 + 20


def send(client: Client, store: str, count: int) -> dict[str, AsyncResult[object]]:
    """Each speaker's lines at once: the queues are long, and every worker serves all of them."""
    sent = {}
    for number in range(count):
        speaker = SPEAKERS[number % len(SPEAKERS)]
        request = {"text": f"{number}番。", "speaker": speaker, "store": store}
        result = client.app.send_task(SYNTHESIZE, args=[request], queue=speaker_queue(speaker), priority=6)
        sent[result.id] = result
    return sent


def done_when(broker: str, sent: dict[str, AsyncResult[object]], wanted: int) -> None:
    """Return when so many are done; the backlog is compared with a count of its own all the while.

    Nothing is sent meanwhile, so the backlog must lie between the count before and the count after, to the text: one
    that changes places while the backlog is read is counted once.
    """
    redis: Redis = Redis.from_url(broker)
    while stored(redis) < wanted:
        before = unacknowledged(redis)
        asked = sum(found.texts for found in backlog(redis).values())
        after = unacknowledged(redis)
        assert after <= asked <= before, (before, asked, after)
        time.sleep(0.3)


def unacknowledged(redis: Redis) -> int:
    """Texts whose messages are in a queue or with a worker, all looked at in one moment."""
    pipe = redis.pipeline(transaction=True)
    for queue in map(speaker_queue, SPEAKERS):
        for step in PRIORITY_STEPS:
            pipe.lrange(priority_list(queue, step), 0, -1)
    pipe.hvals("koebin.unacked")
    *queued, held = pipe.execute()
    messages = [json.loads(raw) for raws in queued for raw in raws] + [json.loads(raw)[0] for raw in held]
    return len({message["headers"]["id"] for message in messages})


def stored(redis: Redis) -> int:
    """Results that are there, counted without the client."""
    return sum(1 for _ in redis.scan_iter(match="celery-task-meta-*", count=2000))
