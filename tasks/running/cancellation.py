"""Cooperative cancellation, checked between segments."""

from __future__ import annotations

import time
from typing import Final

from redis.exceptions import RedisError

from koebin.engine.errors import GiveBack, JobCancelled, LeaseLost
from koebin.tasks.jobs.ledger import State
from koebin.tasks.running.runtime import Runtime

_SECONDS_BETWEEN_QUESTIONS: Final = 1.0


class Guard:
    """Stops a task that lost its lease, whose job was cancelled, or whose worker must go.

    Args:
        priority: with which the task's message was sent; see ``makes_way``.

    Attributes:
        made_way: the task was told to make way for another.
    """

    def __init__(self, runtime: Runtime, task_id: str, nonce: str, job: str, priority: int = 0) -> None:
        self._runtime = runtime
        self._task_id = task_id
        self._nonce = nonce
        self._job = job
        self._priority = priority
        self._asked = 0.0
        self.made_way = False

    def check(self) -> None:
        """Raises: LeaseLost, JobCancelled, GiveBack."""
        deadline = self._runtime.drain_deadline()
        if deadline is not None and time.monotonic() >= deadline:
            raise GiveBack("the worker shuts down", self._task_id)
        if time.monotonic() - self._asked < _SECONDS_BETWEEN_QUESTIONS:
            return
        self._asked = time.monotonic()
        try:
            owned = not self._nonce or self._runtime.leases.owned(self._task_id, self._nonce)
            state = self._runtime.ledger.state(self._job) if self._job else None
        except RedisError:
            return  # without Redis nobody can say; what is stored now is not made again later
        if not owned:
            raise LeaseLost("another worker took the task over", self._task_id)
        if state is State.CANCELLED:
            raise JobCancelled("the job was cancelled", self._job)

    def makes_way(self) -> bool:
        """Whether the task should stop, having made progress, because something more urgent waits for its process.

        Not while its worker shuts down: that takes no further message.
        """
        if not self.made_way and self._runtime.drain_deadline() is None:
            self.made_way = self._runtime.more_urgent(self._priority)
        return self.made_way
