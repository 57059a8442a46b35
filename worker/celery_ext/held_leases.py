"""Held leases of the tasks that a worker runs: acquired, renewed, released."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Collection
from dataclasses import dataclass

from celery.worker import state
from redis.exceptions import RedisError

from koebin.tasks.broker.leases import Leases
from koebin.tasks.jobs.ledger import Ledger
from koebin.tasks.observer import Observer
from koebin.worker.celery_ext.frozen_processes import is_frozen, is_gone, process_of

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
        held = [hold for hold in self.held() if not is_frozen(process_of(hold.task_id))]
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
            pid = process_of(hold.task_id)
            if pid is None and not state.active_requests:
                return True
            if pid is not None and is_gone(pid):
                return True
        return False

    def outlived(self, seconds: float) -> bool:
        """Whether a task has exceeded its time limit by so many seconds; waiting for a process does not count."""
        now = time.monotonic()
        for hold in self.held():
            request = state.requests.get(hold.task_id)
            if now - getattr(request, "began", math.inf) > hold.time_limit + seconds:
                return True
        return False

    def held(self) -> tuple[HeldLease, ...]:
        with self._lock:
            return tuple(self._held.values())

    def release_all(self) -> None:
        """Release all leases, so that other workers need not wait for them to expire."""
        for hold in self.held():
            self.release(hold.task_id)
