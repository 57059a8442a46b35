"""Preemption benchmark ``python -m benchmarks.preemption``: latency of a short job beside long ones on one speaker and
worker.
"""

from __future__ import annotations

import argparse
import itertools
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from koebin.producers.client import Client
from koebin.tasks.contracts import SYNTHESIZE, SynthesizeRequest
from koebin.tasks.redis_keys import speaker_queue
from koebin.tasks.settings import Settings
from tests.servers.redis import RedisServer
from tests.servers.worker import Worker

_BOOK = 3000
_numbers = itertools.count(1)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.preemption", description=__doc__)
    parser.add_argument("--tries", type=int, default=10)
    tries = parser.parse_args().tries
    with (
        tempfile.TemporaryDirectory() as folder,
        RedisServer() as server,
        Worker(server.url, Path(folder).as_uri()),
        Client(settings=Settings(broker_url=server.url, store=Path(folder).as_uri())) as client,
    ):
        print("| a sentence is submitted | runs | median s | worst s |")
        print("|---|---:|---:|---:|")
        print(_row("to an idle worker", client, "interactive", tries))
        print(_row("to an idle worker, as a single text", client, "", tries))
        with _busy(client, books=1):
            print(_row("as `interactive` beside a batch", client, "interactive", tries))
            print(_row("as a single text of priority 0 beside a batch", client, "", tries))
            print(_row("as `batch` beside a batch of the same priority", client, "batch", tries))
        with _busy(client, books=3):
            print(_row("as `interactive` beside three", client, "interactive", tries))


@contextmanager
def _busy(client: Client, books: int) -> Iterator[None]:
    """While long jobs are spoken; each ``_BOOK`` sentences."""
    jobs = []
    for _ in range(books):
        first = next(_numbers) * _BOOK
        text = "\n".join(f"これは{first + line}番目の行で、静かに読まれます。" for line in range(_BOOK))
        jobs.append(client.submit(text, priority="batch"))
    while client.status(jobs[0]).rendered == 0:
        time.sleep(0.1)
    yield
    for job in jobs:
        if client.status(job).state.ended:
            raise RuntimeError("the batch was done too early: nothing was measured")
        client.cancel(job)


def _row(label: str, client: Client, priority: str, tries: int) -> str:
    """``priority`` is that of a job, "" sends a single text."""
    seconds = []
    for _ in range(tries):
        text = f"急ぎの{next(_numbers)}番です。"
        started = time.monotonic()
        if priority:
            client.wait(client.submit(text, priority=priority), 300)
        else:
            _speak(client, text)
        seconds.append(time.monotonic() - started)
    return f"| {label} | {tries} | {statistics.median(seconds):.1f} | {max(seconds):.1f} |"


def _speak(client: Client, text: str) -> None:
    request = SynthesizeRequest(text=text, speaker="mei", store=client.store.uri).model_dump(mode="json")
    client.app.send_task(SYNTHESIZE, args=[request], queue=speaker_queue("mei"), priority=0).get(timeout=300)


if __name__ == "__main__":
    main()
