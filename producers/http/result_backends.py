"""Celery's result backends for a sender that looks for results by itself.

Celery's own subscribe to each result when its task is sent; where nobody reads the subscription, what comes piles up in
the server until it cuts the connection.
"""

from __future__ import annotations

from typing import Any, Final

from celery.backends.redis import RedisBackend, SentinelBackend

BACKENDS: Final = {
    "redis": "koebin.producers.http.result_backends:Results",
    "rediss": "koebin.producers.http.result_backends:Results",
    "sentinel": "koebin.producers.http.result_backends:SentinelResults",
}
"""For a loader's ``override_backends``: by the scheme of their URLs."""


class _Unsubscribed:
    def on_task_call(self, producer: Any, task_id: str) -> None:
        """Nothing: results are looked for."""


class Results(_Unsubscribed, RedisBackend):
    pass


class SentinelResults(_Unsubscribed, SentinelBackend):
    pass
