"""Delayed messages, kept in Redis until they are due: a message with a countdown would sit in a worker's memory."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from redis import Redis

from koebin.engine.bounded_json import loads
from koebin.engine.errors import KoebinError
from koebin.tasks import redis_keys
from koebin.tasks.broker.held import count_held, release_due
from koebin.tasks.broker.unreadable import keep_unreadable
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
    """Send what is due, also what was held for its ETA; a process that dies here sends one message twice, which a lease
    makes harmless. A row that is no message is parked."""
    released = release_due(redis)
    due: Any = redis.zrange(redis_keys.DELAYED, "-inf", server_time(redis), byscore=True, offset=0, num=1000)
    for raw in due:
        message = _load(raw)
        if message is None:
            keep_unreadable(redis, "a delayed message cannot be read", raw)
        else:
            send(message)
        redis.zrem(redis_keys.DELAYED, raw)
    return len(due) + released


def count_delayed(redis: Redis) -> int:
    """How many messages wait here, or are held for their ETA."""
    return int(redis.zcard(redis_keys.DELAYED)) + count_held(redis)


def delayed_messages(redis: Redis) -> list[Message]:
    """Delayed messages."""
    rows: Any = redis.zrange(redis_keys.DELAYED, 0, -1)
    return [message for raw in rows if (message := _load(raw)) is not None]


def delayed_ids(redis: Redis) -> set[str]:
    """Task ids of the delayed messages."""
    return {message.task_id for message in delayed_messages(redis)}


def _dump(message: Message) -> str:
    return json.dumps([message.task, message.task_id, message.request, message.queue, message.priority])


def _load(raw: bytes | str) -> Message | None:
    """None for what another version, or a stranger, has written; further fields of a row are ignored."""
    try:
        task, task_id, request, queue, priority, *_ = loads(raw)
    except (KoebinError, TypeError, ValueError):
        return None
    named = all(isinstance(name, str) and name.isprintable() and name for name in (task, task_id, queue))
    if not named or not isinstance(request, dict) or not isinstance(priority, int):
        return None
    return Message(task, task_id, request, queue, priority)
