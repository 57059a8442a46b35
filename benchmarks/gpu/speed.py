"""Speed part: audio seconds per second of a book, by the engine alone and through ``run_chunk`` with a store."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from redis import Redis

from benchmarks.gpu.budget import NotRun
from benchmarks.gpu.material import Material, seconds_of
from benchmarks.voices import NAMES
from koebin.engine.checked_names import DecoderMode
from koebin.engine.speaker import Speaker
from koebin.engine.text.dictionary import Dictionary
from koebin.tasks.broker.leases import Leases
from koebin.tasks.contracts import ChunkRequest, Placement, PlannedSegment
from koebin.tasks.jobs.ledger import Ledger
from koebin.tasks.running.cancellation import Guard
from koebin.tasks.running.chunk import Chunk, run_chunk
from koebin.tasks.running.runtime import Runtime
from koebin.tasks.segment_key import plan_segment
from koebin.tasks.stores.uri import open_store
from tests.servers.redis import RedisServer

_MODES: Final[tuple[DecoderMode, ...]] = ("float32", "tf32", "float16")
_ENGINE: Final = "0" * 16


def alone(material: Material) -> Iterator[tuple[str, Any]]:
    """Rates of ``Speaker.render``, and how long one sentence takes."""
    for mode in _MODES[: 1 if material.tiny else None]:
        speaker = material.speaker(material.voice(decoder=mode))
        yield f"{mode}: one sentence, s", round(_one_sentence(speaker, material), 4)
        yield f"{mode}: audio s per s", _rate(speaker, material, 1 if material.tiny else 4)


def through_chunk(material: Material) -> Iterator[tuple[str, Any]]:
    """Rate of ``run_chunk`` with a real ledger and a store on disk, beside that of the engine alone."""
    takes = 1 if material.tiny else 4
    try:
        server = RedisServer().start()
    except (OSError, ImportError, RuntimeError) as error:
        raise NotRun(f"no server for the ledger ({error})") from error
    folder = material.work / "chunks"
    shutil.rmtree(folder, ignore_errors=True)
    try:
        speaker = material.speaker(material.voice())
        engine = _rate(speaker, material, takes)
        began = time.perf_counter()
        seconds = _chunk(Redis.from_url(server.url), speaker, material, folder, takes)
        through = round(seconds / (time.perf_counter() - began), 1)
    finally:
        server.kill()
    yield "engine alone: audio s per s", engine
    yield "through run_chunk: audio s per s", through
    yield "by the engine alone, %", round(100 * through / engine)


def _one_sentence(speaker: Speaker, material: Material) -> float:
    sentence = material.requests(1)[:1]
    return seconds_of(lambda: list(speaker.render(sentence)), material.torch_device, times=5)


def _rate(speaker: Speaker, material: Material, takes: int) -> float:
    list(speaker.render(material.requests(1)))  # the device's kernels are chosen, its memory is reserved
    began = time.perf_counter()
    seconds = sum(audio.duration_seconds for audio in speaker.render(material.requests(takes)))
    return round(seconds / (time.perf_counter() - began), 1)


def _chunk(redis: Redis, speaker: Speaker, material: Material, folder: Path, takes: int) -> float:
    """Audio seconds that one chunk with the book has stored."""
    revisions = {"model_revision": speaker.revision, "engine_revision": _ENGINE}
    segments = [
        plan_segment(request.text, NAMES[0], request.options, (), dictionary_revision="", **revisions)
        for request in material.requests(takes)
    ]
    planned = tuple(PlannedSegment(segment=each, place=Placement(index=i)) for i, each in enumerate(segments))
    store = open_store(folder.resolve().as_uri())
    request = ChunkRequest(job="gpu", chunk=0, speaker=NAMES[0], store=store.uri, **revisions)
    runtime = Runtime(
        redis=redis,
        ledger=Ledger(redis),
        leases=Leases(redis, 30.0),
        speakers={NAMES[0]: speaker},
        engine_revision=_ENGINE,
        open_store=lambda _: store,
        send=lambda _: None,
        drain_deadline=lambda: None,
        work_dir=folder,
    )
    chunk = Chunk(request, "gpu/0", planned, Dictionary(), speaker, store, None)
    return run_chunk(runtime, chunk, Guard(runtime, chunk.task_id, "", "")).seconds
