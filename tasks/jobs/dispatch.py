"""Dispatch of chunks into the queues: a small window per speaker, of a few chunks per live process.

So jobs on one speaker take turns, a cancel takes effect at once, and Redis stays small.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from koebin.tasks.broker.delayed_messages import Message, Send
from koebin.tasks.broker.fleet_summary import Serving, Summary
from koebin.tasks.contracts import ASSEMBLE, SYNTHESIZE_CHUNK, AssembleRequest, ChunkRequest
from koebin.tasks.jobs.ledger import JobEntry, Ledger, State
from koebin.tasks.redis_keys import ASSEMBLE_QUEUE, assemble_task, chunk_task, speaker_queue

CHUNKS_PER_CHILD: Final = 2


def chunk_message(entry: JobEntry, number: int, speaker: str) -> Message:
    """Message of a planned chunk; the worker reads its segments from the store."""
    request = ChunkRequest(
        job=entry.job,
        chunk=number,
        speaker=speaker,
        model_revision=entry.speakers[speaker],
        engine_revision=entry.engine_revision,
        dictionary_revision=entry.dictionary_revision,
        store=entry.store,
    )
    document = request.model_dump(mode="json", exclude_none=True)
    return Message(SYNTHESIZE_CHUNK, chunk_task(entry.job, number), document, speaker_queue(speaker), entry.priority)


def assemble_message(entry: JobEntry) -> Message:
    """Message of a job's assembly."""
    request = AssembleRequest(job=entry.job, store=entry.store).model_dump(mode="json")
    return Message(ASSEMBLE, assemble_task(entry.job), request, ASSEMBLE_QUEUE, entry.priority)


def foreign(entry: JobEntry, speaker: str, request: ChunkRequest) -> str:
    """Reason why a message about a live job is not one of ours, "" if it is.

    Args:
        speaker: of the chunk, as the ledger knows it.
    """
    if speaker != request.speaker:
        return f"job {request.job} has no chunk {request.chunk} for {request.speaker}"
    ours = chunk_message(entry, request.chunk, request.speaker).request
    if ours != request.model_dump(mode="json", exclude_none=True):
        return f"the message does not match the plan of job {request.job}"
    return ""


def dispatch(ledger: Ledger, workers: Serving, send: Send, entry: JobEntry) -> int:
    """Move chunks of a job into the queues until each speaker's window is full; returns how many.

    A speaker that no live worker serves with the planned revisions gets none: its chunks stay planned.
    A process that dies between ``take`` and ``send`` leaves an open chunk without a message, which is requeued as lost
    work.
    """
    sent = 0
    if entry.state is not State.RUNNING:
        return sent
    for speaker, model_revision in entry.speakers.items():
        children = workers.children(speaker, model_revision, entry.engine_revision)
        if not children:
            continue
        for number in ledger.move_to_open(entry.job, speaker, CHUNKS_PER_CHILD * children):
            send(chunk_message(entry, number, speaker))
            sent += 1
    return sent


def lacks(entry: JobEntry, unserved: Collection[str], workers: Summary) -> str:
    """What an unfinished job waits for, as a sentence.

    Args:
        unserved: its speakers that no live worker serves with the planned revisions; "" is the assembly.
    """
    lacking = [
        f"needs a worker for {speaker}@{revision}/{entry.engine_revision}, "
        f"live workers have: {', '.join(workers.live(speaker)) or 'none'}"
        for speaker, revision in entry.speakers.items()
        if speaker in unserved
    ]
    return "; ".join([*lacking, *(["needs a worker with --assemble"] if "" in unserved else [])])[:500]
