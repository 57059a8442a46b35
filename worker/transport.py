"""kombu's Redis transport, for queues into which anybody may have put anything.

kombu takes it for granted that what it reads from a list is an envelope of its own; another text there raises in the
worker's loop and ends the worker, and the next one. Here it becomes a message that cannot be decoded, which is parked.
"""

from __future__ import annotations

import logging
from typing import Any, Final
from uuid import uuid4

import kombu.transport
from kombu.transport import redis
from kombu.transport.virtual.base import Message as KombuMessage

log = logging.getLogger(__name__)

UNREADABLE: Final = "application/x-koebin-unreadable"
"""The content type of what is no envelope; nobody accepts it."""


class Message(KombuMessage):
    """A message whose envelope may be anything."""

    def __init__(self, payload: Any, channel: Any = None, **kwargs: Any) -> None:
        try:
            super().__init__(payload if _sound(payload) else _wrapped(payload), channel=channel, **kwargs)
        except (ValueError, TypeError, LookupError, AttributeError):
            super().__init__(_wrapped(payload), channel=channel, **kwargs)


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


def _wrapped(payload: Any) -> dict[str, Any]:
    return {
        "body": payload if isinstance(payload, str) else repr(payload),
        "content-type": UNREADABLE,
        "content-encoding": "utf-8",
        "headers": {},
        "properties": {"delivery_tag": str(uuid4()), "delivery_info": {"exchange": "", "routing_key": ""}},
    }


class _Tolerant:
    """Hands on what is not even JSON."""

    Message = Message
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
