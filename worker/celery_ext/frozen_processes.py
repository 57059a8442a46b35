"""Frozen and lost pool processes: whether the one that runs a task was stopped by a signal, or is gone."""

from __future__ import annotations

from pathlib import Path

from celery.worker import state


def process_of(task_id: str) -> int | None:
    """Id of the pool process that runs a task; None while it waits for one."""
    request = state.requests.get(task_id)
    return request.worker_pid if request else None


def is_frozen(pid: int | None) -> bool:
    """Whether a process was stopped by a signal."""
    if pid is None:
        return False
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"
    except (OSError, IndexError):  # the process has just ended, or this is not Linux
        return False


def is_gone(pid: int) -> bool:
    """Whether no process has this id; unknown, and so no, where there is no ``/proc``."""
    return Path("/proc/self").exists() and not Path(f"/proc/{pid}").exists()
