"""Celery tasks of a worker: ``koebin.synthesize_chunk``, ``koebin.synthesize``, ``koebin.render`` and
``koebin.assemble``.

They are thin: validate, call, store, say so. What an error costs is one ladder, ``koebin.tasks.running.error_ladder``.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from celery import Task, shared_task
from celery.exceptions import Ignore, Reject
from pydantic import BaseModel

from koebin.engine.errors import (
    InferenceFailed,
    JobFailed,
    JobNotFound,
    JobUnreadable,
    KoebinError,
    StoreDenied,
    StoreNotFound,
    UnknownSpeaker,
)
from koebin.tasks import traces
from koebin.tasks.assembly.job import assemble_job, fail_job
from koebin.tasks.broker.unreadable_messages import keep_unreadable
from koebin.tasks.connection import OUTAGE
from koebin.tasks.contracts import (
    ASSEMBLE,
    RENDER,
    SYNTHESIZE,
    SYNTHESIZE_CHUNK,
    AssembleRequest,
    ChunkRequest,
    RenderRequest,
    SynthesizeRequest,
    parse,
)
from koebin.tasks.errors_table import payer
from koebin.tasks.jobs.dispatch import foreign
from koebin.tasks.jobs.ledger import State
from koebin.tasks.redis_keys import ASSEMBLE_QUEUE, speaker_queue
from koebin.tasks.running import error_ladder
from koebin.tasks.running.cancellation import Guard
from koebin.tasks.running.chunk import NeedsRevision, finish_chunk, open_chunk, run_chunk
from koebin.tasks.running.error_ladder import TaskTerms, message_of
from koebin.tasks.running.poison import is_given_up
from koebin.tasks.running.process_doubts import speaks
from koebin.tasks.running.runtime import Runtime, current
from koebin.tasks.running.task_spans import job_span, text_span
from koebin.tasks.running.text import render_text, synthesize_text

log = logging.getLogger(__name__)

_Wanted = TypeVar("_Wanted", SynthesizeRequest, RenderRequest)


@contextlib.contextmanager
def back_without_redis() -> Iterator[None]:
    """Requeue the message while Redis refuses writes, whatever the task was about to write there.

    Raises:
        Reject: instead of an error of Redis.
    """
    try:
        yield
    except OUTAGE as error:
        current().observer.error(error)
        raise Reject(str(error), requeue=True) from error


@shared_task(name=SYNTHESIZE_CHUNK, bind=True, ignore_result=True)
def synthesize_chunk(self: Task[Any, Any], request: dict[str, Any]) -> None:
    """Speak a chunk of a job; see ``docs/contract.md``."""
    with back_without_redis():
        _speak_chunk(self, request)


def _speak_chunk(task: Task[Any, Any], request: dict[str, Any]) -> None:
    runtime = current()
    try:
        wanted = parse(ChunkRequest, request, extra="ignore")
    except KoebinError as error:
        keep_unreadable(runtime.redis, str(error), request)
        return
    guard = Guard(runtime, task_id(task), lease_nonce(task), wanted.job, priority_of(task))

    def is_wanted() -> bool:
        try:
            entry, speaker = runtime.ledger.planned(wanted.job, wanted.chunk)
        except JobNotFound:
            return True  # what the ledger has lost is judged by the store
        if entry.state is State.UNKNOWN:
            raise JobUnreadable("the job's state is one of another version", wanted.job)
        if entry.state is not State.RUNNING:
            runtime.leases.forget(task_id(task))
            return False  # cancelled or ended meanwhile
        if problem := foreign(entry, speaker, wanted):
            log.error("unreadable message set aside (see koebin dead): %s", problem)
            keep_unreadable(runtime.redis, problem, request)
        return not problem

    def work() -> None:
        if not is_wanted():
            return
        with job_span(runtime, task.request.get(traces.HEADER), "koebin.chunk", wanted.job, chunk=wanted.chunk):
            chunk = open_chunk(runtime, wanted, task_id(task))
            finish_chunk(runtime, chunk, run_chunk(runtime, chunk, guard))

    def fail(error: KoebinError) -> None:
        missing = "the job's documents are missing: " if isinstance(error, StoreNotFound) else ""
        log.error("the job failed: %s", error, extra={"job": wanted.job})
        request = AssembleRequest(job=wanted.job, store=wanted.store)
        fail_job(runtime, request, JobFailed(f"chunk {wanted.chunk}: {missing}{error}"))

    def give_back(error: KoebinError) -> None:
        runtime.ledger.give_back(wanted.job, wanted.chunk, wanted.speaker, str(error))

    terms = TaskTerms(
        message_of(runtime, task, SYNTHESIZE_CHUNK, request, speaker_queue(wanted.speaker)),
        wanted.job,
        (wanted.speaker, wanted.model_revision, wanted.engine_revision),
        fail,
        elsewhere=((NeedsRevision, UnknownSpeaker), give_back),
        parks=lambda _: runtime.ledger.state(wanted.job) is None,
    )
    error_ladder.run(runtime, terms, work)


@shared_task(name=SYNTHESIZE, bind=True)
def synthesize(self: Task[Any, Any], request: dict[str, Any]) -> dict[str, Any]:
    """Speak one text; see ``docs/contract.md``."""
    with back_without_redis():
        return _speak(self, SYNTHESIZE, parse(SynthesizeRequest, request), synthesize_text)


@shared_task(name=RENDER, bind=True)
def render(self: Task[Any, Any], request: dict[str, Any]) -> dict[str, Any]:
    """Have the sentences of one text in the store; see ``docs/contract.md``."""
    with back_without_redis():
        return _speak(self, RENDER, parse(RenderRequest, request, extra="ignore"), render_text)


def _speak(
    task: Task[Any, Any],
    name: str,
    wanted: _Wanted,
    speak: Callable[[Runtime, _Wanted, Guard, tuple[str, ...]], BaseModel],
) -> dict[str, Any]:
    runtime = current()
    guard = Guard(runtime, task_id(task), lease_nonce(task), "", priority_of(task))

    def work() -> dict[str, Any]:
        try:
            with text_span(task.request.get(traces.HEADER), wanted.speaker):
                result = speak(runtime, wanted, guard, made_together(task))
        except Exception as error:
            if payer(error) is not None or not speaks(runtime.speakers[wanted.speaker]):
                raise
            reason = f"the engine stumbled over it ({type(error).__name__})"
            raise InferenceFailed(reason, str(error)[:200]) from error
        runtime.leases.forget(task_id(task))
        return result.model_dump(mode="json")

    def fail(error: KoebinError) -> None:
        runtime.leases.forget(task_id(task))
        raise error

    message = message_of(runtime, task, name, wanted.model_dump(mode="json"), speaker_queue(wanted.speaker))
    result = error_ladder.run(runtime, TaskTerms(message, "", (wanted.speaker, "", ""), fail), work)
    if result is None:
        raise Ignore
    return result


@shared_task(name=ASSEMBLE, bind=True, ignore_result=True)
def assemble(self: Task[Any, Any], request: dict[str, Any]) -> None:
    """Make a job's deliverables from its segments; see ``docs/contract.md``. Twice has the effect of once."""
    with back_without_redis():
        _assemble(self, request)


def _assemble(task: Task[Any, Any], request: dict[str, Any]) -> None:
    runtime = current()
    try:
        wanted = parse(AssembleRequest, request, extra="ignore")
    except KoebinError as error:
        keep_unreadable(runtime.redis, str(error), request)
        return
    state = runtime.ledger.state(wanted.job)
    if state is not None and state not in (State.ASSEMBLING, State.UNKNOWN):
        runtime.leases.forget(task_id(task))
        runtime.paused.drop(wanted.job)
        return  # it has ended, or the chunk that completes it will queue this again

    def fail(error: KoebinError) -> None:
        log.error("the job failed: %s", error, extra={"job": wanted.job})
        fail_job(runtime, wanted, error)

    attempt = runtime.leases.attempt(task_id(task))
    if is_given_up(attempt):
        fail(JobFailed("the assembly ended its process again and again", attempt.reason))
        return
    guard = Guard(runtime, task_id(task), lease_nonce(task), wanted.job, priority_of(task))
    terms = TaskTerms(
        message_of(runtime, task, ASSEMBLE, request, ASSEMBLE_QUEUE),
        wanted.job,
        ("", "", ""),
        fail,
        parks=lambda error: state is None and isinstance(error, (StoreDenied, StoreNotFound)),
    )

    def work() -> None:
        if state is State.UNKNOWN:
            raise JobUnreadable("the job's state is one of another version", wanted.job)
        if state is not None and runtime.ledger.entry(wanted.job).store != wanted.store:
            log.error("unreadable message set aside (see koebin dead): job %s lies in another store", wanted.job)
            keep_unreadable(runtime.redis, "the job lies in another store", request)
            return
        with job_span(runtime, task.request.get(traces.HEADER), "koebin.assemble", wanted.job):
            runtime.paused.run(wanted.job, lambda check: assemble_job(runtime, wanted, check), guard)

    error_ladder.run(runtime, terms, work)


def task_id(task: Task[Any, Any]) -> str:
    return task.request.id or ""


def lease_nonce(task: Task[Any, Any]) -> str:
    """The nonce of the lease under which the parent started this task; "" outside of our worker."""
    return str((task.request.get("koebin") or {}).get("nonce", ""))


def priority_of(task: Task[Any, Any]) -> int:
    """With which the task's message was sent."""
    return int((task.request.delivery_info or {}).get("priority") or 0)


def made_together(task: Task[Any, Any]) -> tuple[str, ...]:
    """Keys of the sentences that a micro-batch rendered for this task (``koebin.tasks.running.render_together``)."""
    return tuple((task.request.get("koebin") or {}).get("made", ()))
