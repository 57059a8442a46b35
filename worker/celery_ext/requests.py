"""Leased requests for Celery: held leases, lost processes, and messages that belong to another worker."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
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
from koebin.tasks.observer import Observer
from koebin.tasks.policy import MAX_STRIKES
from koebin.tasks.redis_keys import assemble_task

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class HeldLease:
    """Held lease of a running request, with the request's time limit in seconds."""

    task_id: str
    nonce: str
    delivery_tag: str
    since: float
    time_limit: float


class HeldLeases:
    """Held leases of this worker: acquired and released by the parent's loop, renewed by the supervisor."""

    def __init__(self, leases: Leases, ledger: Ledger, observer: Observer | None = None) -> None:
        self.leases = leases
        self.ledger = ledger
        self.observer = observer or Observer()
        self.renewed = time.monotonic()
        """When all leases were last renewed, on the monotonic clock."""
        self._lock = threading.Lock()
        self._held: dict[str, HeldLease] = {}

    def acquire(self, task_id: str, delivery_tag: str, time_limit: float) -> str | None:
        """Acquire a lease; returns its nonce, None if somebody (perhaps this worker) holds it."""
        nonce = self.leases.acquire(task_id)
        if nonce is not None:
            with self._lock:
                self._held[task_id] = HeldLease(task_id, nonce, delivery_tag, time.monotonic(), time_limit)
        return nonce

    def release(self, task_id: str) -> bool:
        """Release a lease; False if another worker owns it now, whose message must be left alone."""
        with self._lock:
            hold = self._held.pop(task_id, None)
        if hold is None:
            return True
        try:
            return self.leases.release(task_id, hold.nonce)
        except RedisError as error:
            log.warning("a lease could not be released; it will expire: %s", error, extra={"task_id": task_id})
            return True

    def renew(self) -> list[str]:
        """Renew every lease but those of tasks whose process is frozen; returns what another worker has taken over."""
        held = [hold for hold in self.held() if not _frozen(hold.task_id)]
        owned = self.leases.renew_all([(hold.task_id, hold.nonce, hold.delivery_tag) for hold in held])
        still, lost = self.held(), []
        for hold, ours in zip(held, owned, strict=True):
            if hold not in still:  # given back meanwhile, and perhaps set again by the renewal
                self.leases.release(hold.task_id, hold.nonce)
            elif not ours:
                lost.append(hold.task_id)
        self.renewed = time.monotonic()
        return lost

    def keep_only(self, task_ids: Collection[str]) -> None:
        """Release the leases of all other tasks: Celery has dropped their requests and will not end them."""
        for hold in self.held():
            if hold.task_id not in task_ids:
                log.info("lease released: the request was dropped with its connection", extra={"task_id": hold.task_id})
                self.release(hold.task_id)

    def abandoned(self) -> bool:
        """Whether a task is held that no live process runs, and that waits for no running one."""
        for hold in self.held():
            request = state.requests.get(hold.task_id)
            pid = request.worker_pid if request else None
            if pid is None and not state.active_requests:
                return True
            if pid is not None and Path("/proc/self").exists() and not Path(f"/proc/{pid}").exists():
                return True
        return False

    def outlived(self, seconds: float) -> bool:
        """Whether a task has exceeded its time limit by so many seconds; waiting for a process does not count."""
        now = time.monotonic()
        for hold in self.held():
            request = state.requests.get(hold.task_id)
            if isinstance(request, LeasedRequest) and now - request.began > hold.time_limit + seconds:
                return True
        return False

    def held(self) -> tuple[HeldLease, ...]:
        with self._lock:
            return tuple(self._held.values())

    def release_all(self) -> None:
        """Release all leases, so that other workers need not wait for them to expire."""
        for hold in self.held():
            self.release(hold.task_id)


def _frozen(task_id: str) -> bool:
    """Whether the process that runs a task was stopped by a signal."""
    request = state.requests.get(task_id)
    pid = request.worker_pid if request else None
    if pid is None:
        return False
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"
    except (OSError, IndexError):  # the process has just ended, or this is not Linux
        return False


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
    if attempt.strikes <= MAX_STRIKES:
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
        strikes: processes that died under its text before, see ``gate``.
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

    Request = "koebin.worker.celery_ext.requests:LeasedRequest"
