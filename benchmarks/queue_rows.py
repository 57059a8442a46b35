"""Queue rows: a real broker, real workers, a store on disk, the built-in voice."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from statistics import median, quantiles

from redis import Redis

from benchmarks.engine_rows import Setting, busy
from benchmarks.rows import Figure
from koebin.producers.client import Client
from koebin.tasks import store_keys
from koebin.tasks.broker.celery_config import sender
from koebin.tasks.contracts import DoneDocument, Pauses, parse_json
from koebin.tasks.jobs.planning import plan_chunks
from koebin.tasks.jobs.submission import JobOptions, submit
from koebin.tasks.script import Passage, Script
from koebin.tasks.settings import Settings
from tests.servers.redis import RedisServer
from tests.servers.waiting import wait_until
from tests.servers.worker import Worker

_JOB_SECONDS = 1800.0


@dataclass(frozen=True, slots=True)
class Times:
    """When what happened to a job, in seconds since the epoch.

    Attributes:
        chunks: when each chunk was done, in the order in which they were.
    """

    submitted: float
    chunks: tuple[float, ...]
    assembling: float
    ended: float


class Bench:
    """A broker and a store of their own."""

    def __init__(self, folder: Path, server: RedisServer) -> None:
        self.folder = folder
        self.server = server
        self.store_uri = (folder / "store").as_uri()
        self.redis: Redis = Redis.from_url(server.url)
        self.client = Client(settings=Settings(broker_url=server.url, store=self.store_uri))

    def worker(self, cores: set[int], speakers: str = "mei", **settings: object) -> Worker:
        """A worker on some of the cores, with one thread for each."""
        chosen = {"threads": len(cores), "load_timeout": 900, **settings}
        made = Worker(self.server.url, self.store_uri, speakers, settings=chosen)
        before = os.sched_getaffinity(0)
        os.sched_setaffinity(0, cores)  # a child inherits it
        try:
            made.start(ready=False)
        finally:
            os.sched_setaffinity(0, before)
        return made

    def ready(self, *workers: Worker) -> None:
        """Wait until they have announced themselves."""
        names = {worker.name for worker in workers}
        wait_until(
            lambda: names <= {live.worker for live in self.client.fleet().workers},
            900,
            lambda: workers[0].text(),
        )

    def run(self, job: str, script: Script, speed_factor: float | None = None) -> Times:
        """Submit and wait; ``speed_factor`` decides how much goes into a chunk, instead of what workers announce."""
        targets = self.client.targets({passage.speaker for passage in script.passages})
        if speed_factor is not None:
            targets = {name: replace(target, speed_factor=speed_factor) for name, target in targets.items()}
        submit(self.redis, self.client.store, sender(self.client.app), job, script, JobOptions(), targets)
        outcome = self.client.wait(job, _JOB_SECONDS)
        if outcome.result is None:
            raise RuntimeError(f"job {job} failed: {outcome.error}")
        return self._times(job)

    def _times(self, job: str) -> Times:
        events = self.client.ledger.events(job)
        while more := self.client.ledger.events(job, events[-1][0]):
            events += more
        stamped = [(int(event.partition("-")[0]) / 1000, fields["event"]) for event, fields in events]

        def when(name: str) -> tuple[float, ...]:
            return tuple(time for time, event in stamped if event == name)

        return Times(when("submitted")[0], when("chunk"), when("assembling")[0], when("ended")[0])

    def done(self, job: str) -> list[DoneDocument]:
        """What the worker wrote of each chunk."""
        store = self.client.store
        return [parse_json(DoneDocument, store.get(key)) for key in sorted(store.list(store_keys.done_prefix(job)))]


@contextmanager
def bench() -> Iterator[Bench]:
    folder = Path(tempfile.mkdtemp(prefix="koebin-bench-"))
    try:
        with RedisServer() as server:
            made = Bench(folder, server)
            try:
                yield made
            finally:
                made.client.close()
                made.redis.close()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def overhead_rows(chunks: int) -> Iterator[tuple[str, Figure]]:
    """One worker and one job of small chunks, twice: first everything is rendered, then everything is there.

    From the end of one chunk to the end of the next, less what the worker says that rendering and storing took.
    """
    load = busy()
    script = lines(chunks * 12, "これは{}番目の短い文です。")
    with bench() as b, b.worker({_cores()[0]}) as worker:
        b.ready(worker)
        b.run("warm", lines(24, "準備の{}番です。"), speed_factor=0.5)
        rendered = b.run("rendered", script, speed_factor=0.5)
        stored = b.run("stored", script, speed_factor=0.5)
        work = [document.wall_seconds for document in b.done("rendered")]
    # Chunks of one process end in their order.
    beyond = [1000 * (gap - took) for gap, took in zip(_gaps(rendered.chunks), work[1:], strict=True)]
    gaps = [1000 * gap for gap in _gaps(stored.chunks)]
    segments = len(script.passages) / len(work)
    note = f"{len(work)} chunks of about {segments:.0f} segments, one process, store on a local disk with fsync"
    for name, found in (("overhead_stored", gaps), ("overhead", beyond)):
        yield f"{name}_p50", Figure.of([median(found)], load=load, note=note)
        yield f"{name}_p99", Figure.of([quantiles(found, n=100)[98]], load=load)


def rerun_rows(count: int) -> Iterator[tuple[str, Figure]]:
    """A script that was finished once, with one line changed; from the first look at it to the end of the job.

    All its lines share one audio, made beforehand.
    """
    load = busy()
    before = lines(count, "{}番。")
    middle = replace(before.passages[count // 2], text="変わりました。")
    after = replace(before, passages=[*before.passages[: count // 2], middle, *before.passages[count // 2 + 1 :]])
    with bench() as b, b.worker(set(_cores())) as worker:
        b.ready(worker)
        b.run("seed", lines(1, "零番。"))
        audio_seconds = _share(b, before)
        before_times = b.run("before", before)
        first = before_times.ended - before_times.assembling
        asked = time.time()
        times = b.run("again", after)
    total, queue = times.ended - asked, times.assembling - asked
    note = (
        f"{count:,} lines, {audio_seconds / 60:.0f} minutes of audio; all but the next row is the assembly, which took "
        f"{first:.0f} s the first time"
    )
    yield "rerun", Figure.of([total], load=load, note=note)
    yield "rerun_queue", Figure.of([queue], load=load)


def _share(b: Bench, script: Script) -> float:
    """Give every segment of the script the one stored audio; returns how long they all are."""
    (folder,) = {path.parent for path in (b.folder / "store" / "segments").rglob("*.flac")}
    (audio,), (marks,) = (list(folder.glob(f"*.{kind}")) for kind in ("flac", "json"))
    targets = b.client.targets({"mei"})
    count = 0
    for document in plan_chunks(script, targets, Pauses()):
        for planned in document.segments:
            for source, key in (
                (marks, store_keys.segment_marks(planned.segment.key)),
                (audio, store_keys.segment_audio(planned.segment.key)),
            ):
                target = b.folder / "store" / key
                target.parent.mkdir(parents=True, exist_ok=True)
                target.hardlink_to(source)
            count += 1
    from koebin.tasks.segments.store import read_timing

    return count * read_timing(b.client.store, marks.stem)[1]


def horizontal_rows(setting: Setting, wanted: set[str], sentences: int) -> Iterator[tuple[str, Figure]]:
    """The same job on one worker with one core, and on two with one each."""
    load = busy()
    if len(_cores()) < 2:
        return
    if "horizontal_builtin" in wanted:
        script = lines(sentences, "これは{}番目の文です。空は青く、風は静かで、海は遠くまで光っています。")
        yield "horizontal_builtin", Figure.of([_scaling(script, "mei", {})], load=load)
    if "horizontal_jp_extra" in wanted:
        tree = setting.tree.resolve().as_uri()
        script = Script(
            [
                replace(passage, speaker="first", options=replace(passage.options, take=take))
                for take in range(3)  # what is stored is not spoken again
                for passage in sentences_of(setting.texts.chapter)
            ]
        )
        settings = {"cache": setting.work.resolve() / "cache", "bert": tree}
        yield "horizontal_jp_extra", Figure.of([_scaling(script, f"first={tree}", settings)], load=load)


def _scaling(script: Script, speakers: str, settings: dict[str, object]) -> float:
    """How many times faster two workers are."""
    took: list[float] = []
    one, two = ({core} for core in _cores()[:2])
    for cores in ([one], [one, two]):
        with bench() as b, ExitStack() as stack:
            workers = [stack.enter_context(b.worker(core, speakers, **settings)) for core in cores]
            b.ready(*workers)
            times = b.run("job", script, speed_factor=0.5)
            took.append(times.assembling - times.submitted)
    return took[0] / took[1]


def lines(count: int, text: str) -> Script:
    """So many sentences that all differ."""
    return Script([Passage(text.format(number), "mei", line=number) for number in range(1, count + 1)])


def sentences_of(text: str) -> list[Passage]:
    from koebin.engine.text.sentences import split_sentences

    return [Passage(sentence.text, "mei", line=n) for n, sentence in enumerate(split_sentences(text), 1)]


def _gaps(times: Sequence[float]) -> list[float]:
    return [later - earlier for earlier, later in pairwise(times)]


def _cores() -> list[int]:
    return sorted(os.sched_getaffinity(0))
