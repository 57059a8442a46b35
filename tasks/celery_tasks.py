"""Celery tasks of a worker: ``koebin.synthesize_chunk``, ``koebin.synthesize``, ``koebin.render`` and
``koebin.assemble``.

They are thin: validate, call, store, say so.
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
    GiveBack,
    InferenceFailed,
    JobCancelled,
    JobFailed,
    JobNotFound,
    KoebinError,
    LeaseLost,
    StoreDenied,
    StoreNotFound,
    UnknownSpeaker,
)
from koebin.tasks.assembly.job import assemble_job, fail_job
from koebin.tasks.broker.delayed import Message, delay_message
from koebin.tasks.broker.unreadable import keep_unreadable
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
from koebin.tasks.jobs.dispatch import foreign
from koebin.tasks.jobs.ledger import State
from koebin.tasks.policy import MAX_HEADLESS_STRIKES, MAX_STRIKES, delay_seconds, retried
from koebin.tasks.redis_keys import ASSEMBLE_QUEUE, speaker_queue
from koebin.tasks.running.cancellation import Guard
from koebin.tasks.running.chunk import NeedsRevision, finish_chunk, open_chunk, run_chunk
from koebin.tasks.running.runtime import Runtime, current
from koebin.tasks.running.text import render_text, synthesize_text

log = logging.getLogger(__name__)

_Wanted = TypeVar("_Wanted", SynthesizeRequest, RenderRequest)


@shared_task(name=SYNTHESIZE_CHUNK, bind=True, ignore_result=True)
def synthesize_chunk(self: Task[Any, Any], request: dict[str, Any]) -> None:
    """Speak a chunk of a job; see ``docs/contract.md``."""
    with back_without_redis():
        _speak_chunk(self, request)


def _speak_chunk(task: Task[Any, Any], request: dict[str, Any]) -> None:
    runtime = current()
    try:
        chunk_request = parse(ChunkRequest, request)
    except KoebinError as error:
        keep_unreadable(runtime.redis, str(error), request)
        return
    with contextlib.suppress(JobNotFound):  # the store decides about jobs that the ledger has lost
        entry, speaker = runtime.ledger.planned(chunk_request.job, chunk_request.chunk)
        if entry.state is not State.RUNNING:
            runtime.leases.forget(task_id(task))
            return  # cancelled or ended meanwhile
        if problem := foreign(entry, speaker, chunk_request):
            log.error("unreadable message set aside (see koebin dead): %s", problem)
            keep_unreadable(runtime.redis, problem, request)
            return
    guard = Guard(runtime, task_id(task), lease_nonce(task), chunk_request.job, priority_of(task))
    try:
        chunk = open_chunk(runtime, chunk_request, task_id(task))
        outcome = run_chunk(runtime, chunk, guard)
        finish_chunk(runtime, chunk, outcome)
    except JobCancelled:
        runtime.leases.forget(task_id(task))
        log.info("task stopped: its job was cancelled", extra={"job": chunk_request.job})
    except LeaseLost as error:
        raise Reject(str(error), requeue=False) from error
    except GiveBack as error:
        raise Reject(str(error), requeue=True) from error
    except KoebinError as error:
        runtime.observer.error(error)
        if retried(error):
            _try_later(runtime, task, chunk_request, request, error)
        elif runtime.ledger.state(chunk_request.job) is None:
            log.error("unreadable message set aside (see koebin dead): no such job in Redis: %s", error)
            keep_unreadable(runtime.redis, str(error), request)
        elif isinstance(error, (NeedsRevision, UnknownSpeaker)):
            runtime.ledger.give_back(chunk_request.job, chunk_request.chunk, chunk_request.speaker, str(error))
        else:
            _fail(runtime, chunk_request, error)
    except OUTAGE:
        raise
    except Exception as error:
        runtime.observer.error(error)
        log.exception("unexpected error in a chunk", extra={"job": chunk_request.job})
        surprise = ChunkStumbled(f"unexpected error ({type(error).__name__}), see the worker's log", str(error)[:200])
        if runtime.leases.strike(task_id(task), str(surprise)) < MAX_HEADLESS_STRIKES:
            _try_later(runtime, task, chunk_request, request, surprise)
        else:
            _fail(runtime, chunk_request, surprise)


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


class ChunkStumbled(KoebinError):
    """Unexpected error in a chunk, outside of any one segment."""


def task_id(task: Task[Any, Any]) -> str:
    return task.request.id or ""


def lease_nonce(task: Task[Any, Any]) -> str:
    """Nonce of the lease under which the parent started this task; "" outside of our worker."""
    return str((task.request.get("koebin") or {}).get("nonce", ""))


def priority_of(task: Task[Any, Any]) -> int:
    """Priority of the task's message."""
    return int((task.request.delivery_info or {}).get("priority") or 0)


def made_together(task: Task[Any, Any]) -> tuple[str, ...]:
    """Keys of the sentences that its micro-batch has rendered for this task; see
    ``koebin.tasks.running.micro_batch``."""
    return tuple((task.request.get("koebin") or {}).get("made", ()))


def _try_later(
    runtime: Runtime, task: Task[Any, Any], chunk: ChunkRequest, request: dict[str, Any], error: KoebinError
) -> None:
    """Acknowledge now and send the message again later: an outage neither uses up attempts nor blocks the queue."""
    seconds = _send_later(runtime, task, SYNTHESIZE_CHUNK, request, speaker_queue(chunk.speaker))
    log.warning("task delayed by %.0f s: %s", seconds, error, extra={"job": chunk.job})
    runtime.ledger.wait_for(chunk.job, f"{error} (next try in {seconds:.0f} s)")


def _send_later(runtime: Runtime, task: Task[Any, Any], name: str, request: dict[str, Any], queue: str) -> float:
    seconds = delay_seconds(runtime.leases.count_delay(task_id(task)))
    delay_message(runtime.redis, Message(name, task_id(task), request, queue, priority_of(task)), seconds)
    runtime.observer.retry(name)
    return seconds


def _fail(runtime: Runtime, chunk: ChunkRequest, error: KoebinError) -> None:
    log.error("the job failed: %s", error, extra={"job": chunk.job})
    hint = "the job's documents are missing: " if isinstance(error, StoreNotFound) else ""
    request = AssembleRequest(job=chunk.job, store=chunk.store)
    fail_job(runtime, request, JobFailed(f"chunk {chunk.chunk}: {hint}{error}"))


@shared_task(name=SYNTHESIZE, bind=True)
def synthesize(self: Task[Any, Any], request: dict[str, Any]) -> dict[str, Any]:
    """Speak one text; see ``docs/contract.md``."""
    with back_without_redis():
        return _speak(self, SYNTHESIZE, parse(SynthesizeRequest, request), synthesize_text)


@shared_task(name=RENDER, bind=True)
def render(self: Task[Any, Any], request: dict[str, Any]) -> dict[str, Any]:
    """Have the sentences of one text in the store; see ``docs/contract.md``."""
    with back_without_redis():
        return _speak(self, RENDER, parse(RenderRequest, request), render_text)


def _speak(
    task: Task[Any, Any],
    name: str,
    wanted: _Wanted,
    speak: Callable[[Runtime, _Wanted, Guard, tuple[str, ...]], BaseModel],
) -> dict[str, Any]:
    runtime = current()
    guard = Guard(runtime, task_id(task), lease_nonce(task), "", priority_of(task))
    try:
        _refuse_poison(runtime, task_id(task))
        result = speak(runtime, wanted, guard, made_together(task)).model_dump(mode="json")
        runtime.leases.forget(task_id(task))
        return result
    except LeaseLost as error:
        raise Reject(str(error), requeue=False) from error
    except GiveBack as error:
        raise Reject(str(error), requeue=True) from error
    except KoebinError as error:
        runtime.observer.error(error)
        if not retried(error):
            raise
        _send_later(runtime, task, name, wanted.model_dump(mode="json"), speaker_queue(wanted.speaker))
        raise Ignore from error


def _refuse_poison(runtime: Runtime, task: str) -> None:
    attempt = runtime.leases.attempt(task)
    if attempt.strikes > MAX_STRIKES:
        runtime.leases.forget(task)
        raise InferenceFailed(f"the text killed its worker's process {attempt.strikes} times", attempt.reason)


@shared_task(name=ASSEMBLE, bind=True, ignore_result=True)
def assemble(self: Task[Any, Any], request: dict[str, Any]) -> None:
    """Make a job's deliverables from its segments; see ``docs/contract.md``. Twice has the effect of once."""
    with back_without_redis():
        _assemble(self, request)


def _assemble(task: Task[Any, Any], request: dict[str, Any]) -> None:
    runtime = current()
    try:
        wanted = parse(AssembleRequest, request)
    except KoebinError as error:
        keep_unreadable(runtime.redis, str(error), request)
        return
    state = runtime.ledger.state(wanted.job)
    if state is not None and state is not State.ASSEMBLING:
        runtime.leases.forget(task_id(task))
        return  # it has ended, or the chunk that completes it will queue this again
    if state is not None and runtime.ledger.entry(wanted.job).store != wanted.store:
        log.error("unreadable message set aside (see koebin dead): job %s lies in another store", wanted.job)
        keep_unreadable(runtime.redis, "the job lies in another store", request)
        return
    attempt = runtime.leases.attempt(task_id(task))
    if attempt.strikes >= MAX_HEADLESS_STRIKES:
        fail_job(runtime, wanted, JobFailed("the assembly killed its process repeatedly", attempt.reason))
        return
    guard = Guard(runtime, task_id(task), lease_nonce(task), wanted.job)
    try:
        assemble_job(runtime, wanted, guard)
    except JobCancelled:
        runtime.leases.forget(task_id(task))
        log.info("task stopped: its job was cancelled", extra={"job": wanted.job})
    except LeaseLost as error:
        raise Reject(str(error), requeue=False) from error
    except GiveBack as error:
        raise Reject(str(error), requeue=True) from error
    except KoebinError as error:
        if state is None and isinstance(error, (StoreDenied, StoreNotFound)):
            log.error("unreadable message set aside (see koebin dead): no such job in Redis: %s", error)
            keep_unreadable(runtime.redis, str(error), request)
            return
        runtime.observer.error(error)
        if not retried(error):
            fail_job(runtime, wanted, error)
            return
        seconds = delay_seconds(runtime.leases.count_delay(task_id(task)))
        log.warning("task delayed by %.0f s: %s", seconds, error, extra={"job": wanted.job})
        runtime.ledger.wait_for(wanted.job, f"{error} (next try in {seconds:.0f} s)")
        delay_message(runtime.redis, _again(task, request), seconds)
        runtime.observer.retry(ASSEMBLE)
    except OUTAGE:
        raise
    except Exception as error:
        runtime.observer.error(error)
        log.exception("unexpected error in an assembly", extra={"job": wanted.job})
        surprise = JobFailed(f"unexpected error ({type(error).__name__}), see the worker's log", str(error)[:200])
        if runtime.leases.strike(task_id(task), str(surprise)) >= MAX_HEADLESS_STRIKES:
            fail_job(runtime, wanted, surprise)
            return
        delay_message(runtime.redis, _again(task, request), delay_seconds(0))
        runtime.observer.retry(ASSEMBLE)


def _again(task: Task[Any, Any], request: dict[str, Any]) -> Message:
    """The message that is being handled, to be sent once more."""
    return Message(ASSEMBLE, task_id(task), request, ASSEMBLE_QUEUE, priority_of(task))
