"""Garbage collection of a store beside running jobs: retention rules, survey and removal.

Rules: a job that ended longer ago than the retention goes, with everything below ``jobs/<id>/``; a live or unfinished
one stays. A segment, a dictionary or a single text goes if it is older than the retention and no job that stays refers
to it. So does what is kept of programmes, whoever might use it again: it is made from the segments.

A job's chunks are written before a worker asks which of its segments exist. So it is enough that no submission is under
way between the last look at the chunks and the removal: ``_quiet`` makes submissions wait for the few seconds of one
batch, and waits for those that are under way.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from typing import Final, Literal, TypeVar, get_args

from redis import Redis

from koebin.tasks import redis_keys, store_keys
from koebin.tasks.contracts import ChunkDocument, Manifest, parse_json
from koebin.tasks.jobs.dead_letters import DeadLetters
from koebin.tasks.jobs.ledger import Ledger
from koebin.tasks.stores.base import Stat, Store

MARGIN_SECONDS: Final = 3600.0
"""Least age in seconds of any object that is removed."""
"""Lock during which no submission begins."""
_BATCH: Final = 200
_BATCH_SECONDS: Final = 10.0
_QUIET_SECONDS: Final = 30
_WAIT_SECONDS: Final = 300.0
_PARALLEL_QUESTIONS: Final = 16

_AUDIO: Final = re.compile("segments/[0-9a-f]{2}/([0-9a-f]{64})[.]flac")

Kind = Literal["job", "segment", "dictionary", "text", "piece"]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)
_BY_AGE: Final[tuple[tuple[Kind, str], ...]] = (("text", "texts/"), ("piece", "pieces/"))
"""Kinds removed by age alone: no job owns single texts, and a programme's intermediate products can be made again."""
_Subject = TypeVar("_Subject")
_Answer = TypeVar("_Answer")


@dataclass(frozen=True, slots=True)
class Unneeded:
    """Removable item; ``keys`` in the order of their removal."""

    kind: Kind
    name: str
    keys: tuple[str, ...]
    bytes: int


@dataclass(slots=True)
class References:
    """References of the jobs that stay; grows while new jobs appear."""

    segments: set[bytes] = field(default_factory=set)
    dictionaries: set[str] = field(default_factory=set)
    read: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Survey:
    """Findings of a survey of a store.

    Attributes:
        unfinished: jobs without a result that Redis does not know; ``koebin resume`` continues them.
    """

    unneeded: tuple[Unneeded, ...]
    kept_jobs: int
    kept_segments: int
    unfinished: tuple[str, ...]
    references: References

    def count(self, kind: Kind) -> tuple[int, int]:
        """Number of removable items of a kind, and their bytes."""
        found = [one.bytes for one in self.unneeded if one.kind == kind]
        return len(found), sum(found)


def survey(
    store: Store, redis: Redis, older_than: float, *, margin: float = MARGIN_SECONDS, now: float | None = None
) -> Survey:
    """Find removable items. Removes nothing.

    Args:
        older_than: the retention in seconds.
        margin: least age in seconds of any removable object.

    Raises:
        InvalidMessage: a document of a job that stays cannot be read, so its references are unknown.
        StoreDenied, StoreUnavailable: the store cannot be read.
    """
    born_before = (time.time() if now is None else now) - max(older_than, margin)
    ledger, references = Ledger(redis), References()
    old: list[Unneeded] = []
    unfinished: list[str] = []
    kept = 0
    for job, objects in _jobs(store).items():
        if _stays(store, redis, ledger, job, objects, born_before, unfinished):
            kept += 1
            _refer(store, job, objects, references)
        else:
            old.append(Unneeded("job", job, _in_order(job, objects), _bytes(store, objects)))
    stored = [match[1] for key in store.list("segments/") if (match := _AUDIO.fullmatch(key))]
    loose = [name for name in stored if bytes.fromhex(name) not in references.segments]
    old += _aged(store, "segment", [(name, _segment(name)) for name in loose], born_before)
    dictionaries = [key for key in store.list("dictionaries/") if _revision(key) not in references.dictionaries]
    old += _aged(store, "dictionary", [(_revision(key), (key,)) for key in dictionaries], born_before)
    for kind, prefix in _BY_AGE:
        old += _aged(store, kind, [(key, (key,)) for key in store.list(prefix)], born_before)
    kept_segments = len(stored) - sum(one.kind == "segment" for one in old)
    return Survey(tuple(old), kept, kept_segments, tuple(unfinished), references)


def remove(
    store: Store, redis: Redis, found: Survey, on_removed: Callable[[Unneeded], None] | None = None
) -> tuple[int, int]:
    """Remove the items of a survey in batches, each after another look at the jobs; returns number and bytes.

    Raises:
        TimeoutError: a submission is in progress and does not end.
    """
    ledger = Ledger(redis)
    count = size = 0
    doomed = {one.name for one in found.unneeded if one.kind == "job"}
    rest = iter(found.unneeded)
    while batch := list(islice(rest, _BATCH)):
        while batch:
            with _quiet(redis) as time_left:
                _look_again(store, ledger, found.references, doomed)
                while batch and time_left():
                    one = batch.pop(0)
                    if _needed_now(store, ledger, one, found.references):
                        continue
                    _remove(store, redis, one)
                    count, size = count + 1, size + one.bytes
                    if on_removed is not None:
                        on_removed(one)
    store.sweep_temporary(MARGIN_SECONDS)
    return count, size


def storage(store: Store, job: str, *, with_segments: bool = False) -> tuple[int, int]:
    """Bytes below ``jobs/<id>/``, optionally with its segments, which other jobs may share."""
    objects = list(store.list(f"jobs/{store_keys.check_job(job)}/"))
    own = _bytes(store, objects)
    if not with_segments:
        return own, 0
    references = References()
    _refer(store, job, objects, references)
    return own, _bytes(store, [key for name in references.segments for key in _segment(name.hex())])


def wait_for_quiet(redis: Redis) -> None:
    """Wait while a batch is removed. A submission calls this after it acquired its lock."""
    deadline = time.monotonic() + _QUIET_SECONDS
    while redis.exists(redis_keys.COLLECTING) and time.monotonic() < deadline:
        time.sleep(0.05)


def _jobs(store: Store) -> dict[str, list[str]]:
    """Objects of every job; other names are ignored."""
    found: dict[str, list[str]] = {}
    for key in store.list("jobs/"):
        found.setdefault(key.split("/")[1], []).append(key)
    return {name: objects for name, objects in found.items() if store_keys.is_job(name)}


def _stays(
    store: Store,
    redis: Redis,
    ledger: Ledger,
    job: str,
    objects: Sequence[str],
    born_before: float,
    unfinished: list[str],
) -> bool:
    state = ledger.state(job)
    if (state is not None and not state.ended) or redis.exists(redis_keys.SUBMITTING + job):
        return True
    if store_keys.manifest(job) not in objects:  # an interrupted submission
        return any(stat is not None and stat.modified >= born_before for stat in _heads(store, objects))
    if store_keys.result(job) not in objects:
        if state is None:
            unfinished.append(job)
        return True
    return any(stat is not None and stat.modified >= born_before for stat in _heads(store, [store_keys.result(job)]))


def _refer(store: Store, job: str, objects: Iterable[str], references: References) -> None:
    """Collect a job's references. Chunks without a manifest may be overwritten, and are read again the next time."""
    objects = list(objects)
    chunks = [key for key in objects if _is_chunk(key) and key not in references.read]
    submitted = store_keys.manifest(job) in objects
    for document in _each(lambda key: _get(store, key), chunks):
        if document is not None:
            planned = parse_json(ChunkDocument, document).segments
            references.segments.update(bytes.fromhex(segment.segment.key) for segment in planned)
            references.segments.update(bytes.fromhex(take) for segment in planned for take in segment.takes)
    if submitted:
        manifest = _get(store, store_keys.manifest(job))
        if manifest is not None:
            references.dictionaries.add(parse_json(Manifest, manifest).dictionary_revision)
            references.read.update(chunks)


def _look_again(store: Store, ledger: Ledger, references: References, doomed: set[str]) -> None:
    """Collect references of jobs that were absent or incomplete at the last look."""
    for job, objects in _jobs(store).items():
        new = any(_is_chunk(key) and key not in references.read for key in objects)
        if new and (job not in doomed or _goes_on(store, ledger, job)):
            _refer(store, job, objects, references)


def _goes_on(store: Store, ledger: Ledger, job: str) -> bool:
    """Whether a job was submitted and has not ended."""
    state = ledger.state(job)
    if state is not None and not state.ended:
        return True
    return store.exists(store_keys.manifest(job)) and not store.exists(store_keys.result(job))


def _needed_now(store: Store, ledger: Ledger, one: Unneeded, references: References) -> bool:
    if one.kind == "segment":
        return bytes.fromhex(one.name) in references.segments
    if one.kind == "dictionary":
        return one.name in references.dictionaries
    return one.kind == "job" and _goes_on(store, ledger, one.name)


def _remove(store: Store, redis: Redis, one: Unneeded) -> None:
    if one.kind == "job":
        DeadLetters(redis).remove(one.name)
        Ledger(redis).forget(one.name)
    if one.kind == "segment":
        audio, marks = one.keys
        store.delete(audio)
        if not store.exists(audio):  # rendered again just now: then the marks belong to the new audio
            store.delete(marks)
        return
    for key in one.keys:
        store.delete(key)


def _in_order(job: str, objects: Sequence[str]) -> tuple[str, ...]:
    """Keys with the manifest first: without it the rest does not count as a job, should this be interrupted."""
    manifest = store_keys.manifest(job)
    return tuple(sorted(objects, key=lambda key: (key != manifest, key)))


def _aged(
    store: Store, kind: Kind, candidates: Sequence[tuple[str, tuple[str, ...]]], born_before: float
) -> Iterator[Unneeded]:
    for (name, objects), stats in zip(
        candidates, _each(lambda found: [store.head(key) for key in found[1]], candidates), strict=True
    ):
        there = [stat for stat in stats if stat is not None]
        if there and all(stat.modified < born_before for stat in there):
            yield Unneeded(kind, name, objects, sum(stat.size for stat in there))


@contextmanager
def _quiet(redis: Redis) -> Iterator[Callable[[], bool]]:
    """Hold off new submissions and wait for running ones; yields whether there is time left for another removal."""
    deadline = time.monotonic() + _WAIT_SECONDS
    while True:
        started = time.monotonic()
        redis.set(redis_keys.COLLECTING, "1", ex=_QUIET_SECONDS)
        if next(redis.scan_iter(redis_keys.SUBMITTING + "*", count=1000), None) is None:
            break
        redis.delete(redis_keys.COLLECTING)
        if started >= deadline:
            raise TimeoutError("a submission is in progress and does not end; run koebin gc again later")
        time.sleep(0.5)
    try:
        yield lambda: time.monotonic() - started < _BATCH_SECONDS
    finally:
        redis.delete(redis_keys.COLLECTING)


def _is_chunk(key: str) -> bool:
    parts = key.split("/")
    return len(parts) == 4 and parts[2] == "chunks" and parts[3] != "table.json"


def _segment(key: str) -> tuple[str, str]:
    return store_keys.segment_audio(key), store_keys.segment_marks(key)


def _revision(key: str) -> str:
    return key.rpartition("/")[2].removesuffix(".json")


def _get(store: Store, key: str) -> bytes | None:
    return store.find(key)


def _heads(store: Store, objects: Sequence[str]) -> list[Stat | None]:
    return _each(store.head, objects)


def _bytes(store: Store, objects: Sequence[str]) -> int:
    return sum(stat.size for stat in _heads(store, objects) if stat is not None)


def _each(question: Callable[[_Subject], _Answer], subjects: Sequence[_Subject]) -> list[_Answer]:
    """Ask a store many things in parallel; answers in order."""
    if len(subjects) < 2:
        return [question(subject) for subject in subjects]
    with ThreadPoolExecutor(_PARALLEL_QUESTIONS) as pool:
        return list(pool.map(question, subjects))
