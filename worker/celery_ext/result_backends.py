"""Result backends for Celery that treat an outage as a retry, not as a failed task.

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
    "redis": "koebin.worker.celery_ext.result_backends:Results",
    "rediss": "koebin.worker.celery_ext.result_backends:Results",
    "sentinel": "koebin.worker.celery_ext.result_backends:SentinelResults",
}
"""Classes by URL scheme, for a loader's ``override_backends``."""
_PAUSE_SECONDS: Final = 1.0
"""Seconds before a text runs again whose result could not be stored."""


class _StoredOrRunAgain:
    def store_result(self, task_id: str, *args: Any, **kwargs: Any) -> Any:
        """Store the result. Raises: Reject: it could not be stored; the task's message is requeued."""
        try:
            return super().store_result(task_id, *args, **kwargs)  # type: ignore[misc]
        except RedisError as error:
            log.warning(
                "the task runs again because its result could not be stored: %s", error, extra={"task_id": task_id}
            )
            time.sleep(_PAUSE_SECONDS)
            raise Reject(f"the result could not be stored: {error}", requeue=True) from error


class Results(_StoredOrRunAgain, RedisBackend):
    pass


class SentinelResults(_StoredOrRunAgain, SentinelBackend):
    pass
