"""Supervisor thread of the parent: renews leases, sends the heartbeat, requeues lost work, and watches the loop.

It is a thread and not a timer of Celery's loop, because the loop stands still while the worker shuts down, reconnects
or hangs, and in the first two cases the running chunk is still ours. A frozen process stops it too, as it should.
"""

from __future__ import annotations

import contextlib
import logging
import math
import os
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, NoReturn

from celery.worker import state
from redis import Redis
from redis.exceptions import RedisError

from koebin.tasks.broker.fleet import Announcement, announce, withdraw
from koebin.tasks.connection import takes_writes
from koebin.tasks.contracts import PRIORITY_STEPS
from koebin.tasks.redis_keys import priority_list
from koebin.worker.celery_ext.requests import HeldLeases
from koebin.worker.exits import DEAF
from koebin.worker.parent.health import no_health_file
from koebin.worker.parent.requeue_lost import LostWork

log = logging.getLogger(__name__)

_ANNOUNCE_SECONDS: Final = 5.0
_DEAF_SECONDS: Final = 60.0
_END_SECONDS: Final = 5.0
_RETURN_SECONDS: Final = 4.0
"""Seconds for the parent to give work back after its pool process was ended at shutdown."""


@dataclass
class LoopState:
    """State of Celery's loop, for the supervisor.

    Attributes:
        ticked: when the loop last ran, on the monotonic clock.
        consuming: names of the queues it consumes.
        announcement: this worker's heartbeat; None while it is not ready.
        child: process id of the pool process that is ready; 0 without one.
        doubt: why the pool process is given no work until it has proved itself; "" if it is.
        stopping: the worker shuts down, so the loop is expected to stand still.
        leave_by: when the pool process is ended during a shutdown, on the monotonic clock.
    """

    ticked: float
    consuming: tuple[str, ...] = ()
    announcement: Announcement | None = None
    child: int = 0
    doubt: str = ""
    stopping: bool = False
    leave_by: float = math.inf


class Supervisor(threading.Thread):
    """Supervisor thread; it starts with the worker and ends with its process.

    Args:
        renew_seconds: between two renewals; a fraction of the visibility timeout.
        stuck_seconds: a task that exceeds its time limit by this much counts as stuck.
        load_seconds: time limit for a pool process to build its engine. Celery gives up on such processes, but not
            on the worker's first.
    """

    def __init__(
        self,
        redis: Redis,
        held_leases: HeldLeases,
        lost_work: LostWork,
        loop: LoopState,
        *,
        renew_seconds: float,
        requeue_seconds: float,
        stuck_seconds: float,
        load_seconds: float,
        health: Callable[[str], None] = no_health_file,
    ) -> None:
        super().__init__(name="koebin-supervisor", daemon=True)
        self._redis = redis
        self._held_leases = held_leases
        self._lost_work = lost_work
        self._loop = loop
        self._renew_seconds = renew_seconds
        self._requeue_seconds = requeue_seconds
        self._stuck_seconds = stuck_seconds
        self._load_seconds = load_seconds
        self._health = health
        self._ended = threading.Event()
        self._idle_since = self._attended_since = self._ready_since = time.monotonic()
        self._worker = ""
        self._cut_off = False
        self._gone_by = math.inf

    def run(self) -> None:
        duties: list[tuple[float, Callable[[], object]]] = [
            (self._renew_seconds, self._renew),
            (_ANNOUNCE_SECONDS, self._announce),
            (self._requeue_seconds, self._requeue_lost_work),
            (2.0, self._watch),
            (0.5, self._end_stuck_process),
        ]
        due = [0.0] * len(duties)
        while not self._ended.wait(0.2):
            for index, (interval, duty) in enumerate(duties):
                if time.monotonic() >= due[index]:
                    self._do(duty)
                    due[index] = time.monotonic() + interval

    def end(self) -> None:
        """Stop the thread, release all leases, withdraw the announcement."""
        self._ended.set()
        self.join(_END_SECONDS)  # it may be renewing a lease that is released here
        try:
            self._held_leases.release_all()
            if self._worker:
                withdraw(self._redis, self._worker)
        except RedisError as error:
            log.warning("the worker's announcement could not be withdrawn; it will expire: %s", error)

    def _do(self, duty: Callable[[], object]) -> None:
        try:
            duty()
        except RedisError as error:
            if not self._cut_off:
                log.warning("Redis does not answer; leases cannot be renewed: %s", error)
            self._cut_off = True
            return
        except Exception:
            # the thread goes on: without it every lease of this worker expires
            log.exception("unexpected error in the supervisor thread; it goes on")
        if self._cut_off:
            log.info("Redis answers again")
        self._cut_off = False

    def _renew(self) -> None:
        for task_id in self._held_leases.renew():
            log.error("another worker has taken over a task of this worker", extra={"task_id": task_id})

    def _announce(self) -> None:
        if self._loop.announcement is not None and not self._loop.stopping:
            self._worker = self._loop.announcement.worker
            announce(self._redis, self._loop.announcement)
        elif self._worker:
            withdraw(self._redis, self._worker)
            self._worker = ""

    def _requeue_lost_work(self) -> None:
        if self._loop.announcement is not None and not self._loop.stopping:
            self._lost_work.run()

    def _watch(self) -> None:
        """End a worker that is alive but no longer consumes, so that its service manager restarts it."""
        try:
            problem = self._problem()
        except RedisError:
            self._excuse()
            self._health("")  # a restart would not bring Redis back
            raise
        self._health(problem)
        if problem:
            _end_worker(problem)

    def _end_stuck_process(self) -> None:
        """End pool processes that hang or are stopped during a shutdown; the parent then gives their work back."""
        now = time.monotonic()
        if now > self._gone_by:
            _end_worker("the pool process was ended, but the worker has not exited")
        elif now > self._loop.leave_by and self._gone_by == math.inf:
            self._gone_by = now + _RETURN_SECONDS
            setattr(state, "should_terminate", True)  # noqa: B010 - the stub allows None only; a process that we end is not a strike
            log.error(
                "the running task did not stop within the grace period: its process is ended and its work is given back"
            )
            end_process_group_children()

    def _problem(self) -> str:
        """Reason why this worker is of no use any more, "" if there is none."""
        now = time.monotonic()
        if self._loop.stopping:
            return ""
        if not takes_writes(self._redis):
            self._excuse()
            return ""
        if self._held_leases.held() or not self._loop.consuming or not self._waiting():
            self._idle_since = now
        if self._loop.child:
            self._ready_since = now
        if now - self._ready_since > self._load_seconds:
            return f"no pool process has had a ready engine for {self._load_seconds:.0f} s"
        if now - self._loop.ticked > _DEAF_SECONDS:
            return f"the worker's loop has not run for {now - self._loop.ticked:.0f} s"
        if now - self._idle_since > _DEAF_SECONDS:
            return f"messages have waited for {_DEAF_SECONDS:.0f} s and none was consumed"
        if self._loop.announcement is None or not self._held_leases.abandoned():
            self._attended_since = now
        if now - self._attended_since > _DEAF_SECONDS:
            return f"a task was accepted, and no pool process has run it for {_DEAF_SECONDS:.0f} s"
        if self._held_leases.outlived(self._stuck_seconds):
            return "a task exceeded its time limit and its process was not ended"
        return ""

    def _excuse(self) -> None:
        """Restart all time limits after an outage of Redis: meanwhile nothing is consumed and no loop runs."""
        now = time.monotonic()
        self._idle_since = self._attended_since = self._ready_since = now
        self._loop.ticked = max(self._loop.ticked, now)

    def _waiting(self) -> bool:
        pipe = self._redis.pipeline(transaction=False)
        for queue in self._loop.consuming:
            for step in PRIORITY_STEPS:
                pipe.llen(priority_list(queue, step))
        return any(pipe.execute())


def _end_worker(problem: str) -> NoReturn:
    log.critical("%s; the worker exits so that its service manager restarts it", problem)
    end_process_group_children()
    os._exit(DEAF)


def end_process_group_children() -> None:
    """Send SIGKILL to this process's children."""
    import multiprocessing

    for child in multiprocessing.active_children():
        child.kill()
    children = f"/proc/{os.getpid()}/task/{os.getpid()}/children"
    if os.path.exists(children):
        with open(children) as listed:
            for pid in listed.read().split():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(int(pid), signal.SIGKILL)
