"""Redis transport for kombu that survives foreign messages, uses the server's clock, and loses no message of a killed
worker.

kombu notes when a message was taken by the worker's own clock, and puts back what is old by that of another: a clock
that is two minutes fast would put back whatever the others run. Here both go by the server's clock.

What is taken becomes an envelope that kombu can read, see ``koebin.worker.celery_ext.envelope``.

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
from functools import partial
from queue import Empty
from typing import Any, Final
from uuid import uuid4

import kombu.transport
from kombu.transport import redis
from kombu.transport.redis import Mutex, MutexHeld
from kombu.transport.virtual.base import QoS as LocalQoS
from kombu.utils.json import dumps
from redis.exceptions import ResponseError

from koebin.tasks.broker.unreadable import keep_unreadable
from koebin.worker.celery_ext.envelope import Message, read

log = logging.getLogger(__name__)

_TAKE: Final = """
local now = redis.call('TIME')
for at = 3, #KEYS do
    local raw = redis.call('RPOP', KEYS[at])
    if raw then
        local queue = string.match(KEYS[at], '^(.-)\\6\\22') or KEYS[at]
        redis.call('ZADD', KEYS[1], now[1] .. '.' .. string.format('%06d', now[2]), ARGV[1])
        redis.call('HSET', KEYS[2], ARGV[1], '[' .. raw .. ',"",' .. cjson.encode(queue) .. ']')
        return {KEYS[at], raw}
    end
end
return false
"""
"""Keys: those of the unacknowledged, then the lists in the order in which they are served. Argument: the tag under
which a message is noted, for its own may be another's too. Answers as ``BRPOP`` does. The message goes back to the
queue that it was taken from, whatever it says; one that is no JSON is parked instead."""
_SEPARATOR: Final = "\x06\x16"
"""Between the name of a queue and the priority in the name of a list."""
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
        """Put a message back, or park what cannot be."""
        try:
            super().restore_by_tag(tag, client, leftmost)
        except (
            ValueError,
            TypeError,
            LookupError,
            AttributeError,
            ArithmeticError,
            RecursionError,
            ResponseError,
        ) as error:
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
            self.client.set_response_callback("BRPOP", _nothing_taken)
        else:
            lists = [self._q_for_pri(queue, priority) for priority in self.priority_steps for queue in queues]
            keys = [self.qos.unacked_index_key, self.qos.unacked_key, *lists]
            tag = str(uuid4())
            command = ["EVAL", _TAKE, len(keys), *keys, tag]
            self.client.set_response_callback("BRPOP", partial(_taken, tag))
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

    def _receive_one(self, c: Any) -> Any:
        """A broadcast; one that cannot be read is passed over."""
        try:
            return super()._receive_one(c)  # type: ignore[misc]
        except (ValueError, TypeError, LookupError, AttributeError, RecursionError) as error:
            log.warning("a broadcast cannot be read: %s", type(error).__name__)
            raise Empty from error


def _taken(tag: str, answer: Any, **_: Any) -> tuple[bytes, bytes] | None:
    """The list and what was taken off it, as an envelope that kombu can read."""
    if not isinstance(answer, list):
        return None
    name, raw = answer
    return name, read(raw, name.decode(errors="replace").partition(_SEPARATOR)[0], tag)


def _nothing_taken(_answer: Any, **_: Any) -> None:
    """Nothing was while the worker rested, though an answer may have come."""


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
