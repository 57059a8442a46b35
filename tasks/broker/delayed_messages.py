"""Delayed messages, kept in Redis until they are due: a message with a countdown would sit in a worker's memory."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from redis import Redis

from koebin.engine.bounded_json import loads
from koebin.engine.errors import KoebinError
from koebin.tasks import redis_keys
from koebin.tasks.broker.eta_messages import count_held, hold, release_due
from koebin.tasks.broker.unreadable_messages import keep_unreadable
from koebin.tasks.connection import server_time
from koebin.tasks.message_signing import NO_KEYS, MessageKeys


@dataclass(frozen=True, slots=True)
class Message:
    """Task message of ours, ready to be sent.

    Attributes:
        links: other tasks that are to follow, by Celery's names: ``callbacks``, ``errbacks``, ``chain``, ``chord``.
        headers: further ones that it came with, and keeps.
    """

    task: str
    task_id: str
    request: dict[str, Any]
    queue: str
    priority: int
    links: dict[str, Any] = field(default_factory=dict)
    headers: dict[str, Any] = field(default_factory=dict)


Send = Callable[[Message], None]


def delay_message(redis: Redis, message: Message, seconds: float) -> None:
    """Delay ``message`` by ``seconds``, with all that is linked to it."""
    due = server_time(redis) + seconds
    if message.links or message.headers:
        hold(redis, message.queue, message.priority, envelope(message), due)
    else:
        redis.zadd(redis_keys.DELAYED, {_dump(message): due})


def send_due(redis: Redis, send: Send) -> int:
    """Send what is due, also what was held for its ETA. A process that dies meanwhile causes a second delivery, which
    a lease makes harmless. A row that is no message is set aside as unreadable.
    """
    released = release_due(redis)
    due: Any = redis.zrange(redis_keys.DELAYED, "-inf", server_time(redis), byscore=True, offset=0, num=1000)
    keys: MessageKeys = getattr(send, "keys", NO_KEYS)
    for raw in due:
        message = _load(raw)
        if message is None:
            keep_unreadable(redis, "a delayed message cannot be read", raw)
        elif keys and not keys.accepts_unsigned:  # to send it would be to sign what anybody may have written
            keep_unreadable(redis, "a delayed message is not signed", raw)
        else:
            send(message)
        redis.zrem(redis_keys.DELAYED, raw)
    return len(due) + released


def envelope(message: Message) -> dict[str, Any]:
    """A message as Celery lays it into its list."""
    links = dict.fromkeys(("callbacks", "errbacks", "chain", "chord")) | message.links
    body = json.dumps([[message.request], {}, links]).encode()
    named = {"task": message.task, "id": message.task_id, "root_id": message.task_id, "lang": "py"}
    return {
        "body": base64.b64encode(body).decode(),
        "content-type": "application/json",
        "content-encoding": "utf-8",
        "headers": named | message.headers,
        "properties": {
            "correlation_id": message.task_id,
            "reply_to": None,
            "delivery_mode": 2,
            "delivery_info": {"exchange": "", "routing_key": message.queue},
            "priority": message.priority,
            "body_encoding": "base64",
            "delivery_tag": message.task_id,
        },
    }


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
