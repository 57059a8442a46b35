"""Leased request of Celery: runs under its lease, counts lost processes, and puts their messages back."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from billiard.einfo import ExceptionInfo
from billiard.exceptions import TimeLimitExceeded, WorkerLostError
from celery import Task
from celery.exceptions import Reject
from celery.worker import state
from celery.worker.request import Request
from kombu.transport.virtual.base import QoS
from redis.exceptions import RedisError

from koebin.engine.errors import InferenceFailed
from koebin.engine.limits import TIME_LIMIT_FLOOR_SECONDS
from koebin.tasks.broker.leases import Leases
from koebin.tasks.contracts import ASSEMBLE, TEXT_TASKS
from koebin.tasks.jobs.ledger import Ledger
from koebin.tasks.redis_keys import assemble_task
from koebin.tasks.running.poison import is_refused
from koebin.worker.celery_ext.held_leases import HeldLeases

log = logging.getLogger(__name__)


_held_leases: list[HeldLeases] = []


def install_held_leases(held_leases: HeldLeases) -> None:
    """Set the parent's held leases: Celery creates requests from a class name, without arguments."""
    _held_leases[:] = [held_leases]


def run_leased(request: Request, run: Callable[[Request], Any]) -> None:
    """Run a received request under a lease, or set its message aside while another worker holds it."""
    if not _held_leases:
        run(request)
        return
    if request.name in TEXT_TASKS and _refuse_poison(request, _held_leases[0].leases):
        return
    limit = _time_limit(request, _held_leases[0].ledger)
    nonce = _held_leases[0].acquire(request.id, message_of(request).delivery_tag, limit)
    if nonce is None:
        log.info("the task runs elsewhere; its message stays unacknowledged", extra={"task_id": request.id})
        leave_unacknowledged(request)
        return
    request.request_dict["koebin"] = {"nonce": nonce}
    request.time_limits = (limit, None)
    try:
        run(request)
    except BaseException:
        _held_leases[0].release(request.id)
        raise


def _refuse_poison(request: Request, leases: Leases) -> bool:
    """Fail a text that has ended its process again and again, here where it ends none; what is held against it is
    forgotten once its failure is stored."""
    attempt = leases.attempt(request.id)
    if isinstance(request, LeasedRequest):
        request.strikes = attempt.strikes
    if not is_refused(attempt):
        return False
    error = InferenceFailed(f"the text killed its worker's process {attempt.strikes} times", attempt.reason)
    log.error("refused a text: %s", error, extra={"task_id": request.id})
    context = request._context  # type: ignore[attr-defined]
    try:
        request.task.backend.mark_as_failure(request.id, error, request=context, store_result=request.store_errors)
    except Reject:
        request.reject(requeue=True)
    else:
        leases.forget(request.id)
        request.acknowledge()
    state.task_ready(request)
    return True


def _time_limit(request: Request, ledger: Ledger) -> float:
    """Seconds until the request's process is killed. A message's own limit counts for a text alone, and never prolongs
    the worker's. A book takes longer to assemble than any chunk to speak, but not longer than it lasts."""
    limit = float(request._app.conf.task_time_limit)  # type: ignore[attr-defined]
    if request.name in TEXT_TASKS:
        return min(limit, max(float(request.time_limits[0] or limit), TIME_LIMIT_FLOOR_SECONDS))
    if request.name != ASSEMBLE:
        return limit
    return limit + ledger.seconds(request.id.removesuffix(assemble_task("")))


def message_of(request: Request) -> Any:
    """Message behind a request; Celery keeps it in a private attribute."""
    return request._message  # type: ignore[attr-defined]


def leave_unacknowledged(request: Request) -> None:
    """Drop a message locally, without acknowledging or requeuing it. It stays unacknowledged in Redis and comes back
    after the visibility timeout, unless the worker that runs the task acknowledges it first.
    """
    message = message_of(request)
    QoS.ack(message.channel.qos, message.delivery_tag)  # the base class's method changes this process's state only
    message._state = "ACK"
    request.acknowledged = True
    state.task_ready(request)


class LeasedRequest(Request):
    """Request that acknowledges only while it holds its lease, and counts the processes that die under it.

    Attributes:
        strikes: processes that died under its text before, see ``run_leased``.
        began: when a process began with it, on the monotonic clock, which jumps with no correction of the time; before
            that, never.
    """

    began: float = math.inf
    strikes = 0

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # They travel in the body; here they would be pickled once more, which ends the worker where they are deep.
        self.request_dict.update(args=(), kwargs={})

    def on_accepted(self, pid: str, time_accepted: float) -> None:
        self.began = time_accepted
        super().on_accepted(pid, time_accepted)

    def acknowledge(self) -> None:
        if self.acknowledged:
            return
        if self._mine():
            super().acknowledge()
        else:
            leave_unacknowledged(self)

    def reject(self, requeue: bool = False) -> None:
        if self.acknowledged:
            return
        if self._mine():
            super().reject(requeue=requeue)
        else:
            leave_unacknowledged(self)

    def on_failure(self, exc_info: ExceptionInfo, send_failed_event: bool = True, return_ok: bool = False) -> Any:
        error = getattr(exc_info.exception, "exc", exc_info.exception)
        if isinstance(error, Reject) and not error.requeue:  # type: ignore[attr-defined]
            # Celery would store a failure here, and the task is well: another worker runs it.
            state.task_ready(self)
            return self.reject()
        if isinstance(error, MemoryError):
            # Celery would raise it once more here, in the parent's loop, and end the worker.
            exc_info = lost_process(f"its process had no memory left: {error}")
            error = getattr(exc_info.exception, "exc", exc_info.exception)
        if isinstance(error, (WorkerLostError, SystemExit)) and not state.should_terminate:
            self._lost(error)
        return super().on_failure(exc_info, send_failed_event=send_failed_event, return_ok=return_ok)

    def on_timeout(self, soft: bool, timeout: float) -> None:
        if soft:
            super().on_timeout(soft, timeout)
            return
        # Celery would store a failure here, and the task is to run again.
        state.task_ready(self)
        if not state.should_terminate:
            self._lost(TimeLimitExceeded(timeout), f"longer than the time limit of {timeout:.0f} s")
        self.reject(requeue=True)

    def _lost(self, error: BaseException, reason: str = "") -> None:
        """Count the lost process, unless it had finished this request and died under another one."""
        if not self._success_was_stored():  # type: ignore[attr-defined]
            self._strike(error, reason)

    def _mine(self) -> bool:
        return not _held_leases or _held_leases[0].release(self.id)

    def _strike(self, error: BaseException, reason: str = "") -> None:
        if not _held_leases:
            return
        reason = reason or str(error)
        _held_leases[0].observer.error(error)
        try:
            strikes = _held_leases[0].leases.strike(self.id, reason)
        except RedisError as error:
            log.warning("a lost process could not be counted in Redis: %s", error, extra={"task_id": self.id})
            return
        log.error("pool process lost (%d since the last progress): %s", strikes, reason, extra={"task_id": self.id})


def lost_process(reason: str) -> ExceptionInfo:
    """What Celery is told of a process that is of no use any more."""
    try:
        raise WorkerLostError(reason)
    except WorkerLostError:
        return ExceptionInfo()


if TYPE_CHECKING:
    _Task = Task[Any, Any]
else:
    _Task = Task


class LeasedTask(_Task):
    """Base class of all Koebin tasks."""

    Request = "koebin.worker.celery_ext.leased_request:LeasedRequest"
