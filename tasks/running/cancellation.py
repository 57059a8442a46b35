"""Cooperative cancellation, checked between segments."""

from __future__ import annotations

import time
from typing import Final

from redis.exceptions import RedisError

from koebin.engine.errors import GiveBack, JobCancelled, LeaseLost
from koebin.tasks.jobs.ledger import State
from koebin.tasks.priorities import PRIORITY_STEPS, priority_step
from koebin.tasks.running.runtime import Runtime

_SECONDS_BETWEEN_QUESTIONS: Final = 1.0


class Guard:
    """Stops a task that lost its lease, whose job was cancelled, or whose worker shuts down.

    Args:
        priority: of the task's message; see ``is_preempted``.

    Attributes:
        was_preempted: the task was preempted by another.
    """

    def __init__(self, runtime: Runtime, task_id: str, nonce: str, job: str, priority: int = 0) -> None:
        self._runtime = runtime
        self._task_id = task_id
        self._nonce = nonce
        self._job = job
        self._priority = priority
        self._asked = 0.0
        self.was_preempted = False

    def check(self) -> None:
        """Check all reasons to stop. Raises: LeaseLost, JobCancelled, GiveBack."""
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
            return  # unknown without Redis; going on is right, as stored segments are reused later
        if not owned:
            raise LeaseLost("another worker has taken the task over", self._task_id)
        if state is State.CANCELLED:
            raise JobCancelled("the job was cancelled", self._job)

    @property
    def may_be_preempted(self) -> bool:
        """Whether anything could be more urgent than the task."""
        return priority_step(self._priority) > PRIORITY_STEPS[0]

    def is_preempted(self) -> bool:
        """Whether the task is preempted: more urgent work waits for its process.

        Never during a shutdown: then the worker accepts no further message.
        """
        if not self.was_preempted and self._runtime.drain_deadline() is None:
            self.was_preempted = self._runtime.more_urgent(self._priority)
        return self.was_preempted
