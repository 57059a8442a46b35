"""Prefork pool that keeps track of every request that its process has received."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from celery.concurrency.asynpool import AsynPool, Worker
from celery.concurrency.prefork import TaskPool

_last_steps: list[Callable[[], None]] = []


def last_in_new_process(step: Callable[[], None]) -> None:
    """Set what a new pool process does last before it takes work: billiard has set its signal handlers by then."""
    _last_steps[:] = [step]


class _Worker(Worker):
    def after_fork(self) -> None:
        super().after_fork()
        for step in _last_steps:
            step()


class _Pool(AsynPool):
    Worker = _Worker
    _cache: dict[int, Any]

    def flush(self) -> None:
        """Drop the requests that no process has received: the worker shuts down, or its connection is lost.

        Celery also drops those that lie in a process's pipe. The process runs them all the same, and then waits for
        half a minute for a reader of its result, while the worker waits for the process.
        """
        given = [job for job in self._cache.values() if not job._accepted and _lives(job._write_to)]
        for job in given:
            job._accepted = True
        try:
            super().flush()
        finally:
            for job in given:
                job._accepted = bool(job.worker_pids())  # the process may have begun it meanwhile


def _lives(process: Any) -> bool:
    return process is not None and process._is_alive()


class Prefork(TaskPool):
    Pool = _Pool
