"""Redis transport for kombu that survives foreign messages, uses the server's clock, and loses no message of a killed
worker.

kombu notes when a message was taken by the worker's own clock, and puts back what is old by that of another: a clock
that is two minutes fast would put back whatever the others run. Here both go by the server's clock.

kombu assumes that everything it reads from a list is an envelope of its own; another text raises in the worker's loop
and ends the worker, and the next one. Here it becomes a message that cannot be decoded, which is set aside as
unreadable.

kombu takes a message off its list and notes it as unacknowledged afterwards: what a worker has been handed when it is
killed is lost. Here one script does both. A script cannot wait as ``BRPOP`` does, so a worker that finds nothing rests;
meanwhile it waits at the list where an urgent message is most likely, with a ``BLMOVE`` that moves the next message to
where it is.
"""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable
from queue import Empty
from typing import Any, Final
from uuid import uuid4

import kombu.transport
from kombu.transport import redis
from kombu.transport.redis import Mutex, MutexHeld
from kombu.transport.virtual.base import Message as KombuMessage
from kombu.transport.virtual.base import QoS as LocalQoS
from kombu.utils.json import dumps
from redis.exceptions import ResponseError

from koebin.tasks.broker.unreadable import keep_unreadable
from koebin.tasks.contracts import MAX_MESSAGE_BYTES

log = logging.getLogger(__name__)

UNREADABLE: Final = "application/x-koebin-unreadable"
TOO_LONG: Final = "application/x-koebin-too-long"
"""Content types for messages without a valid envelope, or with too long a one; no consumer accepts them."""
_SHOWN: Final = 4000


class Message(KombuMessage):
    """Message whose envelope may be invalid."""

    def __init__(self, payload: Any, channel: Any = None, **kwargs: Any) -> None:
        try:
            super().__init__(_checked(payload), channel=channel, **kwargs)
        except (ValueError, TypeError, LookupError, AttributeError):
            super().__init__(_wrapped(payload, UNREADABLE), channel=channel, **kwargs)


def _checked(payload: Any) -> Any:
    if not _sound(payload):
        return _wrapped(payload, UNREADABLE)
    return payload if len(payload["body"]) <= MAX_MESSAGE_BYTES else _wrapped(payload, TOO_LONG)


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
        "body": _shown(payload, kind)[:_SHOWN],
        "content-type": kind,
        "content-encoding": "utf-8",
        "headers": {},
        "properties": {"delivery_tag": _tag(payload), "delivery_info": {"exchange": "", "routing_key": ""}},
    }


def _shown(payload: Any, kind: str) -> str:
    if kind == TOO_LONG:
        payload = payload["body"]
    return payload if isinstance(payload, str) else repr(payload)


def _tag(payload: Any) -> str:
    """Delivery tag of the payload, under which it may have been noted as unacknowledged; else a new one."""
    properties = payload.get("properties") if isinstance(payload, dict) else None
    tag = properties.get("delivery_tag") if isinstance(properties, dict) else None
    return tag if isinstance(tag, str) else str(uuid4())


_TAKE: Final = """
local now = redis.call('TIME')
for at = 3, #KEYS do
    local raw = redis.call('RPOP', KEYS[at])
    if raw then
        local sound, message = pcall(cjson.decode, raw)
        local properties = sound and type(message) == 'table' and message.properties
        local tag = type(properties) == 'table' and properties.delivery_tag
        local route = type(properties) == 'table' and properties.delivery_info
        if type(tag) == 'string' and type(route) == 'table' and type(route.exchange) == 'string'
                and type(route.routing_key) == 'string' then
            redis.call('ZADD', KEYS[1], now[1] .. '.' .. string.format('%06d', now[2]), tag)
            redis.call('HSET', KEYS[2], tag,
                '[' .. raw .. ',' .. cjson.encode(route.exchange) .. ',' .. cjson.encode(route.routing_key) .. ']')
        end
        return {KEYS[at], raw}
    end
end
return false
"""
"""Keys: those of the unacknowledged, then the lists in the order in which they are served. Answers as ``BRPOP`` does;
what is no envelope is not noted, and only handed on."""
_NOTHING: Final = "koebin.nothing"
"""A list that stays empty."""
REST_SECONDS: Final = 0.05
"""Seconds that an idle worker rests. A message waits half as long on average, unless its list is the one waited at."""

_APPEND: Final = """
local now = redis.call('TIME')
redis.call('ZADD', KEYS[1], now[1] .. '.' .. string.format('%06d', now[2]), ARGV[1])
redis.call('HSET', KEYS[2], ARGV[1], ARGV[2])
return 1
"""


class QoS(redis.QoS):
    """Unacknowledged messages, timed by the server's clock."""

    channel: Any
    _vrestore_count: int
    _remove_from_indices: Any

    def append(self, message: Any, delivery_tag: str) -> None:
        """Note a message as delivered now; one that was noted when it left its list may have waited here unread."""
        route = message.delivery_info
        noted = dumps([message._raw, route["exchange"], route["routing_key"]])
        with self.channel.conn_or_acquire() as client:
            client.eval(_APPEND, 2, self.unacked_index_key, self.unacked_key, delivery_tag, noted)
        LocalQoS.append(self, message, delivery_tag)

    def restore_visible(self, start: int = 0, num: int | None = None, interval: int = 1) -> None:
        """Requeue messages that were not renewed within the visibility timeout, at every ``interval``-th call."""
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

    def restore_by_tag(self, tag: Any, client: Any = None, leftmost: bool = False) -> None:
        """Requeue a message, or set it aside as unreadable if the server accepts its JSON and we do not."""
        try:
            super().restore_by_tag(tag, client, leftmost)
        except (ValueError, RecursionError) as error:
            with self.channel.conn_or_acquire(client) as connected:
                keep_unreadable(connected, f"{type(error).__name__}: {error}", connected.hget(self.unacked_key, tag))
            self._remove_from_indices(tag).execute()


class _SafeDelivery:
    """Channel that pops a message and notes it as unacknowledged in one step, and hands on even what is not JSON. All
    our consumers acknowledge.
    """

    Message = Message
    QoS = QoS
    connection: Any
    client: Any
    qos: Any
    active_queues: list[str]
    priority_steps: list[int]
    _queue_cycle: Any
    _q_for_pri: Callable[[str, int], str]
    _in_poll: Any
    _brpop_sent_at: float | None
    _rests = False
    _found_nothing = False
    _may_watch = True

    def _brpop_start(self, timeout: float | None = None) -> None:
        """Ask for a message, or rest if the last answer was empty."""
        del timeout
        queues = self._queue_cycle.consume(len(self.active_queues))
        if not queues:
            return
        self._rests, self._found_nothing = self._found_nothing, False
        if self._rests:
            command = self._rest()
        else:
            lists = [self._q_for_pri(queue, priority) for priority in self.priority_steps for queue in queues]
            keys = [self.qos.unacked_index_key, self.qos.unacked_key, *lists]
            command = ["EVAL", _TAKE, len(keys), *keys]
        self.client.set_response_callback("BRPOP", _taken)
        self._in_poll = self.client.connection
        self._brpop_sent_at = time.monotonic()
        self.client.connection.send_command(*command)

    def _rest(self) -> list[Any]:
        """Rest, but not past an urgent message in the queue that was served last; the message stays there."""
        if not self._may_watch:
            return ["BRPOP", _NOTHING, REST_SECONDS]
        watched = self._q_for_pri(self._queue_cycle.latest(), self.priority_steps[0])
        return ["BLMOVE", watched, watched, "RIGHT", "RIGHT", REST_SECONDS]

    def _brpop_read(self, **options: Any) -> Any:
        try:
            return super()._brpop_read(**options)  # type: ignore[misc]
        except ResponseError as error:
            if not self._rests:
                raise
            # an older server, a user without the right, or a full server
            log.info("BLMOVE is not available, polling instead: %s", error)
            self._may_watch = False
            raise Empty from error
        except Empty:
            self._found_nothing = not self._rests
            raise
        except ValueError as error:
            raw = getattr(error, "doc", None) or getattr(error, "object", None)
            if raw is None:
                raise
            text = raw.decode(errors="replace") if isinstance(raw, bytes) else str(raw)
            callbacks = list(self.connection._callbacks.values())
            if not callbacks:
                log.error("invalid message dropped: %s", text[:200])
                return True
            callbacks[0](text)
            return True


def _taken(answer: Any, **_: Any) -> tuple[bytes, bytes] | None:
    """List and message from an answer; none if the worker rested, although an answer may have come."""
    return tuple(answer) if isinstance(answer, list) else None


class Channel(_SafeDelivery, redis.Channel):  # type: ignore[misc]
    pass


class SentinelChannel(_SafeDelivery, redis.SentinelChannel):  # type: ignore[misc]
    pass


class Transport(redis.Transport):
    Channel = Channel


class SentinelTransport(redis.SentinelTransport):
    Channel = SentinelChannel


def install_transport() -> None:
    """Register these transports for ``redis://`` and its variants in this process."""
    kombu.transport.TRANSPORT_ALIASES.update(
        redis="koebin.worker.celery_ext.transport:Transport",
        rediss="koebin.worker.celery_ext.transport:Transport",
        sentinel="koebin.worker.celery_ext.transport:SentinelTransport",
    )
