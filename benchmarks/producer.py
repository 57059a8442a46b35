"""Producer benchmark ``python -m benchmarks.producer SEGMENTS FOLDER``: planning and queueing rate, as one line of
JSON.

A process of its own, so that its peak memory is that of this alone. The worker it plans for is announced, but absent.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

from redis import Redis

from benchmarks.probe import memory
from koebin.producers.client import Client
from koebin.tasks.broker.celery_config import sender
from koebin.tasks.broker.fleet import Announcement, ServedSpeaker, announce
from koebin.tasks.jobs.submission import JobOptions, submit
from koebin.tasks.script import Passage, Script
from koebin.tasks.settings import Settings
from tests.servers.redis import RedisServer

_TEXT = "これは{}番目の文です。とても短い文ではありませんが、長くもありません。"


def main() -> None:
    count, folder = int(sys.argv[1]), Path(sys.argv[2])
    with RedisServer() as server:
        redis: Redis = Redis.from_url(server.url)
        voice = ServedSpeaker("mei", ("Neutral",), 48000, "0" * 16, 30.0)
        announce(redis, Announcement("nobody@bench", "0" * 16, 1, assembles=False, speakers=(voice,)))
        redis.persist("koebin:worker:nobody@bench")
        # Two sentences a passage, as a book's paragraphs have several.
        passages = [Passage(_TEXT.format(n), "mei", line=n) for n in range(1, count // 2 + 1)]
        with Client(settings=Settings(broker_url=server.url, store=(folder / "store").as_uri())) as client:
            targets = client.targets({"mei"})
            submit(redis, client.store, sender(client.app), "warm", Script(passages[:10]), JobOptions(), targets)
            before = memory(os.getpid())
            wall, cpu = time.perf_counter(), time.process_time()
            manifest = submit(redis, client.store, sender(client.app), "job", Script(passages), JobOptions(), targets)
            wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
            grown = memory(os.getpid())["peak"] - before["resident"]
        redis.close()
    print(json.dumps({"segments": manifest.segments, "wall": wall, "cpu": cpu, "grown": grown}))


if __name__ == "__main__":
    main()
