"""Backpressure benchmark ``python -m benchmarks.backpressure``: memory of producer and Redis while many segments are
submitted.

No worker speaks: a worker is announced, so that the job can be planned, and what the submission leaves in the queue and
in the ledger stays there.
"""

from __future__ import annotations

import argparse
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
from redis import Redis

from koebin.engine.revision import engine_revision
from koebin.producers.client import Client
from koebin.tasks.broker.fleet import Announcement, ServedSpeaker, announce
from koebin.tasks.priorities import PRIORITIES
from koebin.tasks.redis_keys import priority_list, speaker_queue
from koebin.tasks.script import Passage, Script
from koebin.tasks.settings import Settings
from tests.servers.redis import RedisServer

_MIB = 1 << 20


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.backpressure", description=__doc__)
    parser.add_argument("--segments", type=int, nargs="+", default=[10_000, 100_000])
    args = parser.parse_args()
    print("| segments | script MiB | producer before MiB | peak MiB | growth MiB | Redis peak MiB | queued | seconds |")
    print("|---:|---:|---:|---:|---:|---:|---:|---:|")
    for segments in args.segments:
        print(measure(segments))


def measure(segments: int) -> str:
    """One row."""
    with tempfile.TemporaryDirectory() as folder, RedisServer() as server:
        redis: Redis = Redis.from_url(server.url)
        announce(redis, Announcement("nobody", engine_revision(), 1, True, (_mei(),)))
        with Client(settings=Settings(broker_url=server.url, store=Path(folder).as_uri())) as client:
            start = _rss()
            script = Script(list(_lines(segments)))
            size, before = _rss() - start, _rss()
            with _Peak(redis) as peak:
                started = time.monotonic()
                job = client.submit(script)
                seconds = time.monotonic() - started
            entry = client.ledger.entry(job)
        queued = redis.llen(priority_list(speaker_queue("mei"), PRIORITIES["batch"]))
        assert entry.segments == segments, entry
        return (
            f"| {segments:,} | {size / _MIB:.1f} | {before / _MIB:.1f} | {peak.producer / _MIB:.1f} | "
            f"{(peak.producer - before) / _MIB:.1f} | {peak.redis / _MIB:.1f} | {queued} | {seconds:.1f} |"
        )


def _mei() -> ServedSpeaker:
    return ServedSpeaker("mei", ("Neutral",), 48000, "benchmark", 20.0)


def _lines(segments: int) -> Iterator[Passage]:
    for number in range(segments):
        yield Passage(f"これは{number}番目の文で、倉庫の棚の番号を読み上げます。", "mei", line=number + 1)


def _rss() -> int:
    return int(psutil.Process().memory_info().rss)


class _Peak:
    """Samples both memories every 50 ms."""

    def __init__(self, redis: Redis) -> None:
        self.producer = self.redis = 0
        self._client = redis
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)

    def __enter__(self) -> _Peak:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _sample(self) -> None:
        while True:
            ended = self._ended.is_set()
            self.producer = max(self.producer, _rss())
            memory = self._client.info("memory")
            self.redis = max(self.redis, int(memory["used_memory"]))
            # What was announced would expire during a long submission.
            self._client.expire("koebin:worker:nobody", 60)
            if ended:
                return
            self._ended.wait(0.05)


if __name__ == "__main__":
    main()
