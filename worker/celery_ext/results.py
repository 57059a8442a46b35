"""Celery's result backends, for which an outage is no failure of a task.

Celery takes an error while it stores a result for the task's own, and stores that one in its place as soon as it can: a
connection that is dropped at the wrong moment, or a server that restarts, would fail a text that has been spoken. Here
the message goes back to its queue; the text runs again, finds its sentences in the store, and its result is stored.
"""

from __future__ import annotations

import logging
import time
from typing import Any, Final

from celery.backends.redis import RedisBackend, SentinelBackend
from celery.exceptions import Reject
from redis.exceptions import RedisError

log = logging.getLogger(__name__)

BACKENDS: Final = {
    "redis": "koebin.worker.celery_ext.results:Results",
    "rediss": "koebin.worker.celery_ext.results:Results",
    "sentinel": "koebin.worker.celery_ext.results:SentinelResults",
}
"""For a loader's ``override_backends``: by the scheme of their URLs."""
_PAUSE_SECONDS: Final = 1.0
"""Before the text runs again: its result could be stored no sooner."""


class _StoredOrRunAgain:
    def store_result(self, task_id: str, *args: Any, **kwargs: Any) -> Any:
        """Raises: Reject, with which the task's message is put back."""
        try:
            return super().store_result(task_id, *args, **kwargs)  # type: ignore[misc]
        except RedisError as error:
            log.warning("a task runs again, its result could not be stored: %s", error, extra={"task_id": task_id})
            time.sleep(_PAUSE_SECONDS)
            raise Reject(f"the result could not be stored: {error}", requeue=True) from error


class Results(_StoredOrRunAgain, RedisBackend):
    pass


class SentinelResults(_StoredOrRunAgain, SentinelBackend):
    pass
