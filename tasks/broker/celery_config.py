"""Celery configuration, shared by producers and workers: a process with another one breaks the guarantees of all."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import Any, Final

from celery import Celery
from redis import Redis
from redis.exceptions import RedisError

from koebin.tasks import redis_keys, traces
from koebin.tasks.broker.default_queue import DEFAULT_QUEUE, route
from koebin.tasks.broker.delayed_messages import Message
from koebin.tasks.broker.place_in_queue import place
from koebin.tasks.broker_address import (
    ANSWER_SECONDS,
    CONNECT_SECONDS,
    HEALTH_SECONDS,
    BrokerAddress,
    parse_broker_url,
)
from koebin.tasks.message_signing import NO_KEYS, MessageKeys
from koebin.tasks.priorities import PRIORITY_STEPS

CONTROL_EXCHANGE: Final = "koebin"
"""Of remote control: by Celery's default all applications of a database hear each other's commands."""
SENT_HEADER: Final = "koebin_sent"
"""Header with the time of sending, in seconds since 1970; workers measure queueing times with it."""


def configure(app: Celery, *, broker: str, result_backend: str, visibility_timeout: float) -> None:
    """Configure an app for our broker.

    The names of the unacknowledged messages are our own: by default they are shared by all applications of a Redis
    database, and our short timeout would requeue the running tasks of the others.

    Raises:
        ConfigurationError: a URL that cannot be read.
    """
    address = parse_broker_url(broker) if broker else BrokerAddress(hosts=(("localhost", 6379),))
    kept = _result_address(result_backend, address)
    transport: dict[str, Any] = {
        "visibility_timeout": visibility_timeout,
        "unacked_restore_interval": max(1, int(visibility_timeout / 10)),
        "unacked_restore_throttle": 1,
        "unacked_key": redis_keys.UNACKED,
        "unacked_index_key": redis_keys.UNACKED_INDEX,
        "unacked_mutex_key": redis_keys.UNACKED_MUTEX,
        "unacked_mutex_expire": 10,
        "priority_steps": list(PRIORITY_STEPS),
        "queue_order_strategy": "priority",
        "health_check_interval": HEALTH_SECONDS,
        # A socket without a time limit waits a quarter of an hour for a peer that is gone without a word.
        **address.socket_options(),
        **address.transport_options(),
    }
    results: dict[str, Any] = {
        "visibility_timeout": visibility_timeout,
        **(kept.transport_options() if kept is not None else {}),
    }
    app.conf.update(
        broker_url=address.celery_url(),
        broker_use_ssl=address.tls.options() if address.tls else None,
        result_backend=result_backend if kept is None else kept.celery_url(),
        redis_backend_use_ssl=kept.tls.options() if kept is not None and kept.tls else None,
        redis_socket_timeout=ANSWER_SECONDS,
        redis_socket_connect_timeout=CONNECT_SECONDS,
        redis_socket_keepalive=kept is not None and not kept.socket_path,
        redis_backend_health_check_interval=HEALTH_SECONDS,
        broker_transport_options=transport,
        result_backend_transport_options=results,
        visibility_timeout=visibility_timeout,
        accept_content=["json"],
        result_accept_content=["json"],
        task_serializer="json",
        result_serializer="json",
        event_serializer="json",
        control_exchange=CONTROL_EXCHANGE,
        task_default_queue=DEFAULT_QUEUE,
        task_routes=(route,),
        task_default_priority=6,
        task_acks_late=True,
        task_acks_on_failure=True,
        task_acks_on_timeout=False,
        task_reject_on_worker_lost=True,
        task_send_sent_event=True,
        worker_send_task_events=True,
        worker_prefetch_multiplier=1,
        worker_cancel_long_running_tasks_on_connection_loss=False,
        worker_enable_prefetch_count_reduction=False,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        result_expires=24 * 3600,
        task_ignore_result=False,
        enable_utc=True,
        timezone="UTC",
    )


def _result_address(url: str, broker: BrokerAddress) -> BrokerAddress | None:
    """Where results are kept, None where that is no Redis: then it is Celery's own business."""
    if not url:
        return broker
    if "://" in url and not url.startswith(("redis", "unix", "sentinel", "socket")):
        return None
    return parse_broker_url(url, "KOEBIN_RESULT_BACKEND")


class Sender:
    """Sends our messages through an app, signed if there are keys.

    Args:
        redis: finds a chunk its place in its queue; None leaves it at the end.

    Attributes:
        keys: of the deployment.
    """

    def __init__(self, app: Celery, keys: MessageKeys = NO_KEYS, redis: Redis | None = None) -> None:
        self._app = app
        self._redis = redis
        self.keys = keys

    def __call__(self, message: Message) -> None:
        signed = self.keys.sign_message(message.task, message.task_id, [message.request])
        self._app.send_task(
            message.task,
            args=[message.request],
            task_id=message.task_id,
            queue=message.queue,
            priority=message.priority,
            headers={SENT_HEADER: time.time(), **traces.headers(), **message.headers, **signed},
            retry=True,
            retry_policy={"max_retries": 5, "interval_start": 0.2, "interval_step": 0.5, "interval_max": 2.0},
        )
        if self._redis is not None:
            with suppress(RedisError):  # it has been sent, and stays where it is
                place(self._redis, message)


def sender(app: Celery, keys: MessageKeys = NO_KEYS, redis: Redis | None = None) -> Sender:
    """What sends our messages through ``app``."""
    return Sender(app, keys, redis)
