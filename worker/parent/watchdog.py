"""Watchdog of a worker's parent: writes the health file, and ends a worker that is alive and of no use."""

from __future__ import annotations

import contextlib
import logging
import math
import os
import signal
import time
from collections.abc import Callable
from typing import Final, NoReturn

from celery.worker import state
from redis import Redis
from redis.exceptions import RedisError

from koebin.tasks.connection import takes_writes
from koebin.tasks.priorities import PRIORITY_STEPS
from koebin.tasks.redis_keys import priority_list
from koebin.worker.celery_ext.held_leases import HeldLeases
from koebin.worker.exits import DEAF
from koebin.worker.parent.health import no_health_file
from koebin.worker.parent.supervisor import LoopState

log = logging.getLogger(__name__)

STEP_SECONDS: Final = 0.5
_WATCH_SECONDS: Final = 2.0
_ABSENT_SECONDS: Final = 10.0
"""A watchdog that was not run for so long, on a machine that slept or had no time, has seen nothing of it."""
_DEAF_SECONDS: Final = 60.0
_RETURN_SECONDS: Final = 4.0
"""Seconds for the parent to give work back after its pool process was ended at shutdown."""


class Watchdog:
    """Looks after one worker.

    Args:
        stuck_seconds: a task that exceeds its time limit by this much counts as stuck.
        load_seconds: time limit for a pool process to build its engine. Celery gives up on such processes, but not
            on the worker's first.
        health: writes the health file.
    """

    def __init__(
        self,
        redis: Redis,
        held_leases: HeldLeases,
        loop: LoopState,
        *,
        stuck_seconds: float,
        load_seconds: float,
        health: Callable[[str], None] = no_health_file,
    ) -> None:
        self._redis = redis
        self._held_leases = held_leases
        self._loop = loop
        self._stuck_seconds = stuck_seconds
        self._load_seconds = load_seconds
        self._health = health
        self._idle_since = self._attended_since = self._ready_since = self._looked = time.monotonic()
        self._watch_at = 0.0
        self._untold = False
        self._gone_by = math.inf

    def step(self) -> None:
        """Look once."""
        self._end_stuck_process()
        now = time.monotonic()
        if now - self._looked > _ABSENT_SECONDS:
            log.warning("the watchdog was not run for %.0f s: all others had no more time", now - self._looked)
            self._excuse()
        self._looked = now
        if now >= self._watch_at:
            self._watch_at = now + _WATCH_SECONDS
            self._watch()

    def _watch(self) -> None:
        """End a worker that is alive but no longer consumes, so that its service manager restarts it."""
        try:
            problem = self._problem()
        except RedisError:
            self._excuse()
            self._told("")  # a restart would not bring Redis back
            raise
        self._told(problem)
        if problem:
            _end_worker(problem)

    def _told(self, problem: str) -> None:
        """Write the health file; a folder that cannot be written to is no reason to stop watching."""
        try:
            self._health(problem)
        except OSError as error:
            if not self._untold:
                log.warning("the health file cannot be written: %s", error)
            self._untold = True
        else:
            self._untold = False

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
        lists = [priority_list(queue, step) for queue in self._loop.consuming for step in PRIORITY_STEPS]
        return bool(self._redis.exists(*lists))


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
