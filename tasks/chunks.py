"""One chunk, from its request to its tick; a list of steps that may be cut off between any two."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from engine.errors import InferenceFailed, JobNotFound, KoebinError, UnknownSpeaker
from engine.text.dictionary import Dictionary
from tasks import keys, segments
from tasks.contracts import (
    ChunkDocument,
    ChunkRequest,
    DoneDocument,
    Placement,
    PlannedSegment,
    SegmentSpec,
    check_segment,
    dump,
    parse_json,
)
from tasks.dispatch import assemble_message, dispatch
from tasks.fleet import fleet
from tasks.guard import Guard
from tasks.policy import MAX_HEADLESS_STRIKES, MAX_STRIKES, segments_own
from tasks.runtime import Runtime
from tasks.stores.base import Store

if TYPE_CHECKING:
    from engine.audio import Audio
    from engine.request import Request
    from engine.speaker import Speaker


log = logging.getLogger(__name__)


class NeedsRevision(KoebinError):
    """This process speaks with another revision of the voice or of the engine than the chunk was planned with."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """A validated chunk at work."""

    request: ChunkRequest
    task_id: str
    planned: tuple[PlannedSegment, ...]
    dictionary: Dictionary
    speaker: Speaker
    store: Store


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a chunk's segments."""

    reused: int
    rendered: int
    seconds: float
    wall_seconds: float
    dead: tuple[dict[str, Any], ...]


def open_chunk(runtime: Runtime, request: ChunkRequest, task_id: str) -> Chunk:
    """Everything that is checked before anything is rendered.

    Raises:
        StoreDenied: the store lies under no allowed root.
        NeedsRevision, UnknownSpeaker: this worker cannot run the chunk.
        InvalidMessage: a key does not match its segment.
    """
    store = runtime.open_store(request.store)
    speaker = _speaker(runtime, request)
    planned = _planned(store, request)
    dictionary = _dictionary(store, request.dictionary_revision)
    for segment in planned:
        check_segment(segment.segment, request, dictionary)
    return Chunk(request, task_id, planned, dictionary, speaker, store)


def _speaker(runtime: Runtime, request: ChunkRequest) -> Speaker:
    if request.speaker not in runtime.speakers:
        raise UnknownSpeaker("this worker does not serve the speaker", request.speaker)
    speaker = runtime.speakers[request.speaker]
    here = (speaker.revision, runtime.engine_revision)
    if here != (request.model_revision, request.engine_revision):
        wanted = f"{request.speaker}@{request.model_revision}/{request.engine_revision}"
        raise NeedsRevision("needs another revision", wanted, f"This worker has {here[0]}/{here[1]}")
    return speaker


def _planned(store: Store, request: ChunkRequest) -> tuple[PlannedSegment, ...]:
    if request.segments is not None:
        return tuple(
            PlannedSegment(segment=segment, place=Placement(index=i)) for i, segment in enumerate(request.segments)
        )
    return parse_json(ChunkDocument, store.get(keys.chunk(request.job, request.chunk))).segments


def _dictionary(store: Store, revision: str) -> Dictionary:
    return Dictionary.from_json(store.get(keys.dictionary(revision)).decode()) if revision else Dictionary()


def run_chunk(runtime: Runtime, chunk: Chunk, guard: Guard) -> Outcome:
    """Render what the store lacks, one stored segment after the other.

    Raises:
        LeaseLost, JobCancelled, GiveBack: see ``Guard``.
        TransientError, StoreFull: to be tried again later; what was stored stays.
    """
    started = time.monotonic()
    specs = {planned.segment.key: planned for planned in chunk.planned}
    present = segments.stored(chunk.store, specs)
    attempt = runtime.leases.attempt(chunk.task_id)
    isolated = attempt.isolated or attempt.strikes >= MAX_STRIKES
    condemned = {key: why for key, why in attempt.condemned.items() if key in specs and key not in present}
    dead = {key: f"its worker process was lost: {why}" for key, why in condemned.items()}
    missing = [specs[key].segment for key in specs if key not in present and key not in dead]
    if attempt.strikes >= MAX_HEADLESS_STRIKES:
        dead |= {segment.key: f"worker processes were lost again and again: {attempt.reason}" for segment in missing}
        missing = []
    seconds = 0.0
    for key, made in _render(runtime, chunk, missing, guard, isolated=isolated):
        if isinstance(made, KoebinError):
            dead[key] = str(made)
            continue
        segments.write(chunk.store, key, made)
        runtime.leases.progress(chunk.task_id)
        seconds += made.duration_seconds
    return Outcome(
        reused=len(chunk.planned) - sum(key not in present for key in specs),
        rendered=sum(segment.key not in dead for segment in missing),
        seconds=seconds,
        wall_seconds=time.monotonic() - started,
        dead=tuple(_evidence(chunk, specs[key], why) for key, why in dead.items()),
    )


def _render(
    runtime: Runtime, chunk: Chunk, missing: Sequence[SegmentSpec], guard: Guard, *, isolated: bool
) -> Iterator[tuple[str, Audio | KoebinError]]:
    """Each missing segment's key with its audio, or with the error that is its own doing."""
    if isolated:
        runtime.leases.isolate(chunk.task_id)
        yield from _render_alone(runtime, chunk, missing, guard, watched=True)
        return
    finished = 0
    try:
        guard.check()
        for audio in chunk.speaker.render([_request(chunk, segment) for segment in missing]):
            yield missing[finished].key, audio
            finished += 1
            guard.check()
    except Exception as error:
        if segments_own(error) is None:
            raise
        log.exception("segments are rendered one by one", extra={"task_id": chunk.task_id})
        yield from _render_alone(runtime, chunk, missing[finished:], guard, watched=False)


def _render_alone(
    runtime: Runtime, chunk: Chunk, missing: Sequence[SegmentSpec], guard: Guard, *, watched: bool
) -> Iterator[tuple[str, Audio | KoebinError]]:
    for segment in missing:
        guard.check()
        if watched:
            runtime.leases.alone(chunk.task_id, segment.key)
        try:
            audios = list(chunk.speaker.render([_request(chunk, segment)]))
        except Exception as error:
            own = segments_own(error)
            if own is None:
                raise
            yield segment.key, own
            continue
        if not audios:
            raise InferenceFailed("the engine returned nothing", segment.text)
        yield segment.key, audios[0]


def _request(chunk: Chunk, segment: SegmentSpec) -> Request:
    from engine.request import Request

    return Request(
        text=segment.text,
        options=segment.synthesis_options(),
        readings=segment.engine_readings(),
        dictionary=chunk.dictionary.within(segment.text),
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


def finish_chunk(runtime: Runtime, chunk: Chunk, outcome: Outcome) -> str:
    """Write the done document, tick the ledger, let the next chunk in; returns the job's state ("" if unknown)."""
    request = chunk.request
    for evidence in outcome.dead:
        runtime.ledger.bury(request.job, evidence["key"], evidence)
    document = DoneDocument(
        chunk=request.chunk,
        reused=outcome.reused,
        rendered=outcome.rendered,
        seconds=round(outcome.seconds, 3),
        wall_seconds=round(outcome.wall_seconds, 3),
        dead=outcome.dead,
    )
    chunk.store.put(keys.done(request.job, request.chunk), dump(document), if_absent=True)
    state = runtime.ledger.tick(
        request.job,
        request.chunk,
        request.speaker,
        reused=outcome.reused,
        rendered=outcome.rendered,
        seconds=outcome.seconds,
        wall_seconds=outcome.wall_seconds,
    )
    runtime.leases.forget(chunk.task_id)
    with contextlib.suppress(JobNotFound):  # Redis lost it a moment ago; the store knows what is done
        if state == "ASSEMBLE":
            runtime.send(assemble_message(runtime.ledger.entry(request.job)))
        elif state:
            dispatch(runtime.ledger, fleet(runtime.redis), runtime.send, runtime.ledger.entry(request.job))
    return state
