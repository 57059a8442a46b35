"""Celery's prefork pool, except that it knows of everything that its process has been given."""

from __future__ import annotations

from typing import Any

from celery.concurrency.asynpool import AsynPool
from celery.concurrency.prefork import TaskPool


class _Pool(AsynPool):
    _cache: dict[int, Any]

    def flush(self) -> None:
        """Forget what no process has been given: the worker goes, or its connection does.

        Celery forgets also what lies in a process's pipe and was not yet begun. The process runs that all the same, and
        then waits for half a minute until somebody reads its result, while the worker that is to go waits for it.
        """
        given = [job for job in self._cache.values() if not job._accepted and _lives(job._write_to)]
        for job in given:
            job._accepted = True
        try:
            super().flush()
        finally:
            for job in given:
                job._accepted = bool(job.worker_pids())  # it may have begun meanwhile


def _lives(process: Any) -> bool:
    return process is not None and process._is_alive()


class Prefork(TaskPool):
    Pool = _Pool
