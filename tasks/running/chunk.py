"""Execution of one chunk, from its request to its done document; each step may be cut off and repeated."""

from __future__ import annotations

import contextlib
import logging
import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import TYPE_CHECKING, Any

from koebin.engine.errors import GiveBack, InferenceFailed, InvalidMessage, JobNotFound, KoebinError, UnknownSpeaker
from koebin.engine.text.dictionary import Dictionary
from koebin.tasks import store_keys
from koebin.tasks.broker.fleet_summary import serving
from koebin.tasks.broker.preemption import MAX_YIELDS
from koebin.tasks.contracts import (
    ChunkDocument,
    ChunkRequest,
    DoneDocument,
    Judged,
    Placement,
    PlannedSegment,
    SegmentSpec,
    dump,
    parse_json,
)
from koebin.tasks.jobs.dead_letters import DeadLetters
from koebin.tasks.jobs.dispatch import assemble_message, dispatch
from koebin.tasks.running.cancellation import Guard
from koebin.tasks.running.isolation import own_error, render_alone
from koebin.tasks.running.poison import is_given_up, renders_alone
from koebin.tasks.running.runtime import Runtime
from koebin.tasks.segment_key import another_take, check_segment
from koebin.tasks.segments import store as segments
from koebin.tasks.segments.quality import QualityGate
from koebin.tasks.segments.takes import Take, choose_take, judge
from koebin.tasks.segments.writer import AHEAD, SegmentWriter
from koebin.tasks.stores.base import Store

if TYPE_CHECKING:
    from koebin.engine.audio.audio import Audio
    from koebin.engine.request import Request
    from koebin.engine.speaker import Speaker


log = logging.getLogger(__name__)


class NeedsRevision(KoebinError):
    """The chunk was planned with another revision of the voice or the engine than this process has."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """Validated chunk in execution."""

    request: ChunkRequest
    task_id: str
    planned: tuple[PlannedSegment, ...]
    dictionary: Dictionary
    speaker: Speaker
    store: Store
    gate: QualityGate | None


@dataclass(frozen=True, slots=True)
class ChunkOutcome:
    """Outcome of a chunk's segments."""

    reused: int
    rendered: int
    seconds: float
    wall_seconds: float
    dead: tuple[dict[str, Any], ...]
    judged: tuple[Judged, ...] = ()


def open_chunk(runtime: Runtime, request: ChunkRequest, task_id: str) -> Chunk:
    """Validate a chunk before anything is rendered.

    Raises:
        StoreDenied: the store lies under no allowed root.
        NeedsRevision, UnknownSpeaker: this worker cannot run the chunk.
        InvalidMessage: a key does not match its segment.
        BackendMissing: a recogniser that the job asks for is not installed here.
    """
    store = runtime.open_store(request.store)
    speaker = _speaker(runtime, request)
    document = _document(store, request)
    dictionary = _dictionary(store, request.dictionary_revision)
    for planned in document.segments:
        check_segment(planned.segment, request, dictionary)
    gate = QualityGate(document.quality) if document.quality else None
    return Chunk(request, task_id, document.segments, dictionary, speaker, store, gate)


def _speaker(runtime: Runtime, request: ChunkRequest) -> Speaker:
    if request.speaker not in runtime.speakers:
        raise UnknownSpeaker("this worker does not serve the speaker", request.speaker)
    speaker = runtime.speakers[request.speaker]
    here = (speaker.revision, runtime.engine_revision)
    if here != (request.model_revision, request.engine_revision):
        wanted = f"{request.speaker}@{request.model_revision}/{request.engine_revision}"
        raise NeedsRevision(
            "the chunk needs another revision of the voice or the engine",
            wanted,
            f"This worker has {here[0]}/{here[1]}",
        )
    return speaker


def _document(store: Store, request: ChunkRequest) -> ChunkDocument:
    if request.segments is None:
        return parse_json(ChunkDocument, store.get(store_keys.chunk(request.job, request.chunk)))
    planned = tuple(
        PlannedSegment(segment=segment, place=Placement(index=i)) for i, segment in enumerate(request.segments)
    )
    return ChunkDocument(chunk=request.chunk, speaker=request.speaker, seconds=0.0, segments=planned)


def _dictionary(store: Store, revision: str) -> Dictionary:
    if not revision:
        return Dictionary()
    try:
        return Dictionary.from_json(store.get(store_keys.dictionary(revision)).decode())
    except UnicodeDecodeError as error:
        raise InvalidMessage("the job's dictionary in the store cannot be read", revision) from error


def run_chunk(runtime: Runtime, chunk: Chunk, guard: Guard) -> ChunkOutcome:
    """Render and store the segments that the store lacks.

    Raises:
        LeaseLost, JobCancelled, GiveBack: see ``Guard``; a chunk that was preempted ``MAX_YIELDS`` times without having
            stored anything stores at least one more segment.
        TransientError, StoreFull: to be retried later; stored segments stay.
    """
    started = time.monotonic()
    specs = {planned.segment.key: planned for planned in chunk.planned}
    present = segments.stored(chunk.store, specs)
    attempt = runtime.leases.attempt(chunk.task_id)
    isolated = renders_alone(attempt)
    condemned = {key: why for key, why in attempt.condemned.items() if key in specs and key not in present}
    dead = {key: f"its worker process was lost: {why}" for key, why in condemned.items()}
    missing = [specs[key].segment for key in specs if key not in present and key not in dead]
    if is_given_up(attempt):
        dead |= {segment.key: f"its worker processes were lost repeatedly: {attempt.reason}" for segment in missing}
        missing = []
    seconds: list[float] = []

    def on_stored(audio: Audio) -> None:
        runtime.leases.progress(chunk.task_id)
        seconds.append(audio.duration_seconds)

    def go_on(writer: SegmentWriter) -> bool:
        may_yield = writer.added or (not isolated and attempt.yields < MAX_YIELDS)
        return not (may_yield and guard.is_preempted())

    doubted: dict[str, Take] = {}
    # A segment that is rendered alone begins after the one before it is stored: so the two are told apart.
    with SegmentWriter(chunk.store, on_stored, ahead=0 if isolated else AHEAD) as writer:
        for key, made in _render(runtime, chunk, missing, guard, lambda: go_on(writer), isolated=isolated):
            take = judge(chunk.gate, specs[key].segment, chunk.request.speaker, made)
            if not take.good:
                doubted[key] = take
            elif isinstance(made, KoebinError):
                runtime.observer.error(made)
                dead[key] = str(made)
            else:
                writer.add(key, made)
    if guard.was_preempted:
        took = time.monotonic() - started
        runtime.leases.keep(chunk.request.job, chunk.request.chunk, len(seconds), math.fsum(seconds), took)
        raise GiveBack("preempted by more urgent work", chunk.task_id)
    if chunk.gate is not None:
        doubted |= _doubted_stored(chunk, specs, present, guard)
    judged: list[Judged] = []
    for key, first in doubted.items():
        further = _further_takes(runtime, chunk, specs[key].segment, guard, isolated=isolated)
        try:
            verdict = choose_take(chunk.store, specs[key], chunk.request.speaker, first, further)
        except InferenceFailed as error:
            runtime.observer.error(error)
            dead[key] = str(error)
        else:
            judged.append(verdict)
            runtime.leases.progress(chunk.task_id)
    return ChunkOutcome(
        reused=max(0, len(chunk.planned) - sum(key not in present for key in specs) - attempt.rendered),
        rendered=sum(segment.key not in dead for segment in missing) + attempt.rendered,
        seconds=math.fsum(seconds) + attempt.seconds,
        wall_seconds=time.monotonic() - started + attempt.wall_seconds,
        dead=tuple(_evidence(chunk, specs[key], why) for key, why in dead.items()),
        judged=tuple(judged),
    )


def _doubted_stored(
    chunk: Chunk, specs: Mapping[str, PlannedSegment], present: set[str], guard: Guard
) -> dict[str, Take]:
    """Judge segments that an earlier job may have stored without a quality gate, so that every retry decides alike."""
    found: dict[str, Take] = {}
    for key in (key for key in specs if key in present):
        guard.check()
        audio = segments.read(chunk.store, key)
        take = judge(chunk.gate, specs[key].segment, chunk.request.speaker, audio, stored=True)
        if not take.good:
            found[key] = take
    return found


def _further_takes(
    runtime: Runtime, chunk: Chunk, segment: SegmentSpec, guard: Guard, *, isolated: bool
) -> Iterator[Take]:
    """Further takes in order, each rendered on demand."""
    for number in range(1, chunk.gate.takes if chunk.gate else 1):
        spec = another_take(segment, number, chunk.request, chunk.dictionary)
        if segments.stored(chunk.store, [spec.key]):
            made: Audio | KoebinError = segments.read(chunk.store, spec.key)
            yield judge(chunk.gate, spec, chunk.request.speaker, made, stored=True)
            continue
        for _, made in _alone(runtime, chunk, [spec], guard, watched=isolated):
            yield judge(chunk.gate, spec, chunk.request.speaker, made)


def _render(
    runtime: Runtime,
    chunk: Chunk,
    missing: Sequence[SegmentSpec],
    guard: Guard,
    go_on: Callable[[], bool],
    *,
    isolated: bool,
) -> Iterator[tuple[str, Audio | KoebinError]]:
    """Each missing segment's key with its audio, or with an error of its own, until the guard stops the chunk."""
    if isolated:
        runtime.leases.isolate(chunk.task_id)
        yield from _alone(runtime, chunk, takewhile(lambda _: go_on(), missing), guard, watched=True)
        return
    finished = 0
    try:
        guard.check()
        requests = [_request(chunk, segment) for segment in missing]
        for audio in chunk.speaker.render(requests, go_on if guard.may_be_preempted else None):
            yield missing[finished].key, audio
            finished += 1
            guard.check()
    except Exception as error:
        if own_error(chunk.speaker, error) is None:
            raise
        log.exception("isolating: segments of this chunk are rendered one by one", extra={"task_id": chunk.task_id})
        rest = takewhile(lambda _: go_on(), missing[finished:])
        yield from _alone(runtime, chunk, rest, guard, watched=False)


def _alone(
    runtime: Runtime, chunk: Chunk, missing: Iterable[SegmentSpec], guard: Guard, *, watched: bool
) -> Iterator[tuple[str, Audio | KoebinError]]:
    requests = ((segment.key, _request(chunk, segment)) for segment in missing)
    return render_alone(runtime.leases, chunk.task_id, chunk.speaker, requests, guard, watched=watched)


def _request(chunk: Chunk, segment: SegmentSpec) -> Request:
    from koebin.engine.request import Request

    return Request(
        text=segment.text,
        options=segment.synthesis_options(),
        readings=segment.engine_readings(),
        dictionary=chunk.dictionary,
    )


def _evidence(chunk: Chunk, planned: PlannedSegment, reason: str) -> dict[str, Any]:
    return {
        "key": planned.segment.key,
        "job": chunk.request.job,
        "chunk": chunk.request.chunk,
        "index": planned.place.index,
        "line": planned.place.line,
        "item": planned.place.item,
        "speaker": chunk.request.speaker,
        "text": planned.segment.text,
        "reason": reason[:500],
        "time": time.time(),
    }


def finish_chunk(runtime: Runtime, chunk: Chunk, outcome: ChunkOutcome) -> str:
    """Write the done document, mark the chunk done in the ledger, dispatch the next; returns the job's state ("" if
    unknown).
    """
    request = chunk.request
    runtime.observer.segments(request.speaker, rendered=outcome.rendered, reused=outcome.reused, dead=len(outcome.dead))
    runtime.observer.spoken(request.speaker, outcome.seconds, outcome.wall_seconds)
    for evidence in outcome.dead:
        DeadLetters(runtime.redis).add(request.job, evidence["key"], evidence)
    document = DoneDocument(
        chunk=request.chunk,
        reused=outcome.reused,
        rendered=outcome.rendered,
        seconds=round(outcome.seconds, 3),
        wall_seconds=round(outcome.wall_seconds, 3),
        dead=outcome.dead,
        judged=outcome.judged,
    )
    chunk.store.put(store_keys.done(request.job, request.chunk), dump(document), if_absent=True)
    state = runtime.ledger.mark_done(
        request.job,
        request.chunk,
        request.speaker,
        reused=outcome.reused,
        rendered=outcome.rendered,
        seconds=outcome.seconds,
        wall_seconds=outcome.wall_seconds,
    )
    runtime.leases.forget(chunk.task_id)
    with contextlib.suppress(JobNotFound):  # Redis lost the job just now; the store knows what is done
        if state == "ASSEMBLE":
            runtime.send(assemble_message(runtime.ledger.entry(request.job)))
        elif state:
            entry = runtime.ledger.entry(request.job)
            served = serving(runtime.redis, entry.speakers, entry.engine_revision)
            dispatch(runtime.ledger, served, runtime.send, entry)
    return state
