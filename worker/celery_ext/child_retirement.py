"""Retirement of pool processes: Celery replaces one after so many tasks, or when it has grown too large."""

from __future__ import annotations

from koebin.tasks.settings import Settings


def retirement(settings: Settings) -> dict[str, int | None]:
    """Celery's settings for it: a number of tasks, and resident KiB after a task; None for no limit."""
    return {
        "worker_max_tasks_per_child": settings.max_tasks_per_child or None,
        "worker_max_memory_per_child": settings.max_memory_per_child * 1024 or None,
    }
