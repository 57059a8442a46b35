"""Delayed messages, kept in Redis until they are due: a message with a countdown would sit in a worker's memory."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from redis import Redis

from koebin.tasks import redis_keys
from koebin.tasks.connection import server_time


@dataclass(frozen=True, slots=True)
class Message:
    """Task message of ours, ready to be sent."""

    task: str
    task_id: str
    request: dict[str, Any]
    queue: str
    priority: int


Send = Callable[[Message], None]


def delay_message(redis: Redis, message: Message, seconds: float) -> None:
    """Delay ``message`` by ``seconds``."""
    redis.zadd(redis_keys.DELAYED, {_dump(message): server_time(redis) + seconds})


def send_due(redis: Redis, send: Send) -> int:
    """Send what is due. A process that dies meanwhile causes a second delivery, which a lease makes harmless."""
    due: Any = redis.zrange(redis_keys.DELAYED, "-inf", server_time(redis), byscore=True, offset=0, num=1000)
    for raw in due:
        send(_load(raw))
        redis.zrem(redis_keys.DELAYED, raw)
    return len(due)


def count_delayed(redis: Redis) -> int:
    """Number of delayed messages."""
    return int(redis.zcard(redis_keys.DELAYED))


def delayed_messages(redis: Redis) -> list[Message]:
    """Delayed messages."""
    rows: Any = redis.zrange(redis_keys.DELAYED, 0, -1)
    return [_load(raw) for raw in rows]


def delayed_ids(redis: Redis) -> set[str]:
    """Task ids of the delayed messages."""
    return {message.task_id for message in delayed_messages(redis)}


def _dump(message: Message) -> str:
    return json.dumps([message.task, message.task_id, message.request, message.queue, message.priority])


def _load(raw: bytes | str) -> Message:
    return Message(*json.loads(raw))
