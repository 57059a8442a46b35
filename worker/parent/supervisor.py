"""Supervisor of a worker's parent: a thread that renews leases and does nothing else, and the threads beside it.

They are threads and not timers of Celery's loop, because the loop stands still while the worker shuts down, reconnects
or hangs, and in the first two cases the running chunk is still ours. A frozen process stops them too, as it should.

| thread | does |
|---|---|
| supervisor | renews leases; a slow search for lost work, or a slow receiver, must not hold it up |
| watchdog | writes the health file; ends a worker that is alive and of no use |
| announcer | says what is served, and that the worker lives |
| lost work | requeues what got lost, and lets chunks into the queues |
| webhooks | delivers the ends of jobs |
"""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass

from redis.exceptions import RedisError

from koebin.tasks.broker.fleet import Announcement
from koebin.worker.celery_ext.held_leases import HeldLeases
from koebin.worker.parent.repeating_thread import RepeatingThread

log = logging.getLogger(__name__)


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


class Supervisor:
    """The threads of one worker; they start with it and end with its process.

    Args:
        renew_seconds: between two renewals; a fraction of the visibility timeout.
        others: the threads beside the one that renews.
    """

    def __init__(self, held_leases: HeldLeases, renew_seconds: float, others: Sequence[RepeatingThread]) -> None:
        self._held_leases = held_leases
        self._renewal = RepeatingThread(
            "supervisor", self._renew, renew_seconds, consequence="leases cannot be renewed"
        )
        self._others = tuple(others)

    def start(self) -> None:
        """Start all threads."""
        for thread in (self._renewal, *self._others):
            thread.start()

    def end(self) -> None:
        """End all threads, and release what is held. The renewal ends last: it may be renewing what is released."""
        for thread in (*self._others, self._renewal):
            thread.end()
        try:
            self._held_leases.release_all()
        except RedisError as error:
            log.warning("leases could not be released; they will expire: %s", error)

    def _renew(self) -> None:
        for task_id in self._held_leases.renew():
            log.error("another worker has taken over a task of this worker", extra={"task_id": task_id})
