"""Preemption benchmark ``python -m benchmarks.preemption``: latency of a short job beside long ones on one speaker and
worker, and of the first audio over HTTP beside a book of long sentences.
"""

from __future__ import annotations

import argparse
import http.client
import itertools
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from koebin.producers.client import Client
from koebin.tasks.contracts import SYNTHESIZE, SynthesizeRequest
from koebin.tasks.redis_keys import speaker_queue
from koebin.tasks.settings import Settings
from tests.servers.door import Door
from tests.servers.ports import HOST
from tests.servers.redis import RedisServer
from tests.servers.worker import Worker

_BOOK = 3000
_SHORT = "これは{}番目の行で、静かに読まれます。"
_LONG = (
    "これは{}番目の行で、山の向こうから来た旅人が、古い駅の待合室で、遠い町に住む友人へ宛てて、"
    "昨日の夜に降った雪のことや、朝の市場で見た珍しい果物のことや、これから渡る長い橋のことを、"
    "静かに手紙に書いています。"
)
"""Takes a core more than a second."""
_numbers = itertools.count(1)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.preemption", description=__doc__)
    parser.add_argument("--tries", type=int, default=10)
    parser.add_argument("--http", action="store_true", help="only the rows of the HTTP door")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, RedisServer() as server:
        store = Path(folder).as_uri()
        with Client(settings=Settings(broker_url=server.url, store=store)) as client:
            if not options.http:
                with Worker(server.url, store):
                    _jobs(client, options.tries)
            with Worker(server.url, store, settings={"threads": 0}), Door(server.url, store) as door:
                _door(client, door, options.tries)


def _jobs(client: Client, tries: int) -> None:
    print("| a sentence is submitted | runs | median s | worst s |")
    print("|---|---:|---:|---:|")
    _row("to an idle worker", tries, lambda: _finish(client, "interactive"))
    _row("to an idle worker, as a single text", tries, lambda: _speak(client))
    with _busy(client, books=1):
        _row("as `interactive` beside a batch", tries, lambda: _finish(client, "interactive"))
        _row("as a single text of priority 0 beside a batch", tries, lambda: _speak(client))
        _row("as `batch` beside a batch of the same priority", tries, lambda: _finish(client, "batch"))
    with _busy(client, books=3):
        _row("as `interactive` beside three", tries, lambda: _finish(client, "interactive"))


def _door(client: Client, door: Door, tries: int) -> None:
    print("\n| first audio of a text over HTTP | runs | median s | worst s |")
    print("|---|---:|---:|---:|")
    _row("of an idle worker", tries, lambda: _hear(door))
    for label, line in (("short", _SHORT), ("long", _LONG)):
        with _busy(client, books=1, line=line):
            _row(f"beside a book of {label} sentences", tries, lambda: _hear(door))


@contextmanager
def _busy(client: Client, books: int, line: str = _SHORT) -> Iterator[None]:
    """While long jobs are spoken; each ``_BOOK`` sentences."""
    jobs = []
    for _ in range(books):
        first = next(_numbers) * _BOOK
        text = "\n".join(line.format(first + number) for number in range(_BOOK))
        jobs.append(client.submit(text, priority="batch"))
    while client.status(jobs[0]).rendered == 0:
        time.sleep(0.1)
    yield
    for job in jobs:
        if client.status(job).state.ended:
            raise RuntimeError("the batch was done too early: nothing was measured")
        client.cancel(job)


def _row(label: str, tries: int, try_once: Callable[[], float]) -> None:
    seconds = [try_once() for _ in range(tries)]
    print(f"| {label} | {tries} | {statistics.median(seconds):.2f} | {max(seconds):.2f} |", flush=True)


def _new_text() -> str:
    return f"急ぎの{next(_numbers)}番です。"


def _finish(client: Client, priority: str) -> float:
    """Seconds from the submission of a job to its end."""
    started = time.monotonic()
    client.wait(client.submit(_new_text(), priority=priority), 300)
    return time.monotonic() - started


def _speak(client: Client) -> float:
    """Seconds from the message of a single text to its result."""
    request = SynthesizeRequest(text=_new_text(), speaker="mei", store=client.store.uri).model_dump(mode="json")
    started = time.monotonic()
    client.app.send_task(SYNTHESIZE, args=[request], queue=speaker_queue("mei"), priority=0).get(timeout=300)
    return time.monotonic() - started


def _hear(door: Door) -> float:
    """Seconds from the request to the first byte of audio; the rest is read, and the next request waits a while."""
    text = f"{next(_numbers)}番の会議は、午後三時から、第二会議室で始まります。お茶を、二十人分、用意してください。"
    body = json.dumps({"input": text, "voice": "mei"}).encode()
    connection = http.client.HTTPConnection(HOST, door.port, timeout=300)
    started = time.monotonic()
    connection.request("POST", "/v1/audio/speech", body, {"Content-Type": "application/json"})
    answer = connection.getresponse()
    if answer.status != 200 or not answer.read(1):
        raise RuntimeError(f"no audio: {answer.status}")
    heard = time.monotonic() - started
    answer.read()
    connection.close()
    time.sleep(0.4 + 0.3 * (next(_numbers) % 7))
    return heard


if __name__ == "__main__":
    main()
