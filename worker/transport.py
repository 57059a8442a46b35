"""kombu's Redis transport, for queues into which anybody may have put anything, and for workers whose clocks differ.

kombu notes when a message was taken by the worker's own clock, and puts back what is old by that of another: a clock
that is two minutes fast would put back whatever the others run. Here both go by the server's clock.

kombu takes it for granted that what it reads from a list is an envelope of its own; another text there raises in the
worker's loop and ends the worker, and the next one. Here it becomes a message that cannot be decoded, which is parked.
"""

from __future__ import annotations

import contextlib
import logging
from typing import Any, Final
from uuid import uuid4

import kombu.transport
from kombu.transport import redis
from kombu.transport.redis import Mutex, MutexHeld
from kombu.transport.virtual.base import Message as KombuMessage
from kombu.transport.virtual.base import QoS as LocalQoS
from kombu.utils.json import dumps

from tasks.contracts import MAX_MESSAGE_BYTES

log = logging.getLogger(__name__)

UNREADABLE: Final = "application/x-koebin-unreadable"
TOO_LONG: Final = "application/x-koebin-too-long"
"""Content types of what is no envelope, or too long a one; nobody accepts them."""
_SHOWN: Final = 4000


class Message(KombuMessage):
    """A message whose envelope may be anything."""

    def __init__(self, payload: Any, channel: Any = None, **kwargs: Any) -> None:
        try:
            super().__init__(_checked(payload), channel=channel, **kwargs)
        except (ValueError, TypeError, LookupError, AttributeError):
            super().__init__(_wrapped(payload, UNREADABLE), channel=channel, **kwargs)


def _checked(payload: Any) -> Any:
    if not _sound(payload):
        return _wrapped(payload, UNREADABLE)
    return payload if len(payload["body"]) <= MAX_MESSAGE_BYTES else _wrapped(payload["body"], TOO_LONG)


def _sound(payload: Any) -> bool:
    if not isinstance(payload, dict):
        return False
    properties, headers = payload.get("properties"), payload.get("headers")
    if not isinstance(properties, dict) or not isinstance(headers, dict) or not isinstance(payload.get("body"), str):
        return False
    delivery = properties.get("delivery_info")
    return (
        isinstance(properties.get("delivery_tag"), str)
        and isinstance(delivery, dict)
        and all(isinstance(delivery.get(name), str) for name in ("exchange", "routing_key"))
        and all(isinstance(headers[name], str) for name in ("id", "task") if name in headers)
        and ("task" not in headers or bool(headers.get("id")))
    )


def _wrapped(payload: Any, kind: str) -> dict[str, Any]:
    return {
        "body": (payload if isinstance(payload, str) else repr(payload))[:_SHOWN],
        "content-type": kind,
        "content-encoding": "utf-8",
        "headers": {},
        "properties": {"delivery_tag": str(uuid4()), "delivery_info": {"exchange": "", "routing_key": ""}},
    }


_APPEND: Final = """
local now = redis.call('TIME')
redis.call('ZADD', KEYS[1], now[1] .. '.' .. string.format('%06d', now[2]), ARGV[1])
redis.call('HSET', KEYS[2], ARGV[1], ARGV[2])
return 1
"""


class QoS(redis.QoS):
    """The unacknowledged messages, by the server's clock."""

    channel: Any
    _vrestore_count: int

    def append(self, message: Any, delivery_tag: str) -> None:
        """Note a message as taken just now."""
        route = message.delivery_info
        noted = dumps([message._raw, route["exchange"], route["routing_key"]])
        with self.channel.conn_or_acquire() as client:
            client.eval(_APPEND, 2, self.unacked_index_key, self.unacked_key, delivery_tag, noted)
        LocalQoS.append(self, message, delivery_tag)

    def restore_visible(self, start: int = 0, num: int | None = None, interval: int = 1) -> None:
        """Put back what nobody has renewed for the visibility timeout, at every ``interval``-th call."""
        self._vrestore_count += 1
        if (self._vrestore_count - 1) % max(1, interval):
            return
        with (
            self.channel.conn_or_acquire() as client,
            contextlib.suppress(MutexHeld),
            Mutex(client, self.unacked_mutex_key, self.unacked_mutex_expire),
        ):
            oldest = client.time()[0] - self.visibility_timeout
            paged = {"offset": start, "num": num} if num else {}
            for tag in client.zrange(self.unacked_index_key, "-inf", oldest, byscore=True, **paged):
                self.restore_by_tag(tag, client)


class _Tolerant:
    """Hands on what is not even JSON."""

    Message = Message
    QoS = QoS
    connection: Any

    def _brpop_read(self, **options: Any) -> Any:
        try:
            return super()._brpop_read(**options)  # type: ignore[misc]
        except ValueError as error:
            raw = getattr(error, "doc", None) or getattr(error, "object", None)
            if raw is None:
                raise
            text = raw.decode(errors="replace") if isinstance(raw, bytes) else str(raw)
            callbacks = list(self.connection._callbacks.values())
            if not callbacks:
                log.error("dropped what is no message: %s", text[:200])
                return True
            callbacks[0](text)
            return True


class Channel(_Tolerant, redis.Channel):  # type: ignore[misc]
    pass


class SentinelChannel(_Tolerant, redis.SentinelChannel):  # type: ignore[misc]
    pass


class Transport(redis.Transport):
    Channel = Channel


class SentinelTransport(redis.SentinelTransport):
    Channel = SentinelChannel


def install_transport() -> None:
    """Make ``redis://`` and its kin mean ours in this process."""
    kombu.transport.TRANSPORT_ALIASES.update(
        redis="worker.transport:Transport",
        rediss="worker.transport:Transport",
        sentinel="worker.transport:SentinelTransport",
    )
