"""The task that ends a job: ``koebin.assemble``. It needs no engine."""

from __future__ import annotations

import logging
from typing import Any

from celery import Task, shared_task
from celery.exceptions import Reject

from koebin.engine.errors import JobCancelled, JobFailed, KoebinError, LeaseLost, StoreDenied, StoreNotFound
from koebin.tasks.assembly.job import assemble_job, fail_job
from koebin.tasks.broker.delayed import Message, put_off
from koebin.tasks.broker.unreadable import park
from koebin.tasks.celery_tasks import back_without_redis, lease_nonce, priority_of, task_id
from koebin.tasks.connection import OUTAGE
from koebin.tasks.contracts import ASSEMBLE, AssembleRequest, parse
from koebin.tasks.jobs.ledger import State
from koebin.tasks.keys import ASSEMBLE_QUEUE
from koebin.tasks.policy import MAX_HEADLESS_STRIKES, delay_seconds, retried
from koebin.tasks.running.cancellation import GiveBack, Guard
from koebin.tasks.running.runtime import current

log = logging.getLogger(__name__)


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
        park(runtime.redis, str(error), request)
        return
    state = runtime.ledger.state(wanted.job)
    if state is not None and state is not State.ASSEMBLING:
        runtime.leases.forget(task_id(task))
        return  # it has ended, or the tick that completes it will queue this again
    if state is not None and runtime.ledger.entry(wanted.job).store != wanted.store:
        log.error("parked a message: job %s lies in another store", wanted.job)
        park(runtime.redis, "the job lies in another store", request)
        return
    attempt = runtime.leases.attempt(task_id(task))
    if attempt.strikes >= MAX_HEADLESS_STRIKES:
        fail_job(runtime, wanted, JobFailed("the assembly ended its process again and again", attempt.reason))
        return
    guard = Guard(runtime, task_id(task), lease_nonce(task), wanted.job)
    try:
        assemble_job(runtime, wanted, guard)
    except JobCancelled:
        runtime.leases.forget(task_id(task))
        log.info("stopped: the job was cancelled", extra={"job": wanted.job})
    except LeaseLost as error:
        raise Reject(str(error), requeue=False) from error
    except GiveBack as error:
        raise Reject(str(error), requeue=True) from error
    except KoebinError as error:
        if state is None and isinstance(error, (StoreDenied, StoreNotFound)):
            log.error("parked a message of a job that the ledger does not know: %s", error)
            park(runtime.redis, str(error), request)
            return
        runtime.observer.error(error)
        if not retried(error):
            fail_job(runtime, wanted, error)
            return
        seconds = delay_seconds(runtime.leases.count_delay(task_id(task)))
        log.warning("tried again in %.0f s: %s", seconds, error, extra={"job": wanted.job})
        runtime.ledger.wait_for(wanted.job, f"{error} (next try in {seconds:.0f} s)")
        put_off(runtime.redis, _again(task, request), seconds)
        runtime.observer.retry(ASSEMBLE)
    except OUTAGE:
        raise
    except Exception as error:
        runtime.observer.error(error)
        log.exception("the assembly stumbled", extra={"job": wanted.job})
        surprise = JobFailed(f"something that nobody foresaw ({type(error).__name__})", str(error)[:200])
        if runtime.leases.strike(task_id(task), str(surprise)) >= MAX_HEADLESS_STRIKES:
            fail_job(runtime, wanted, surprise)
            return
        put_off(runtime.redis, _again(task, request), delay_seconds(0))
        runtime.observer.retry(ASSEMBLE)


def _again(task: Task[Any, Any], request: dict[str, Any]) -> Message:
    """The message that is being handled, to be sent once more."""
    return Message(ASSEMBLE, task_id(task), request, ASSEMBLE_QUEUE, priority_of(task))
