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
import hashlib
import logging
import random
import time
from collections.abc import Callable, Sequence
from functools import partial
from queue import Empty
from typing import Any, Final
from uuid import uuid4

import kombu.transport
from kombu.transport import redis
from kombu.transport.redis import Mutex, MutexHeld
from kombu.transport.virtual.base import QoS as LocalQoS
from kombu.utils.json import dumps
from redis.exceptions import NoScriptError, ResponseError

from koebin.tasks import redis_keys
from koebin.tasks.broker.unreadable_messages import keep_unreadable
from koebin.worker.celery_ext.envelope import Message, read
from koebin.worker.celery_ext.fair_turns import FairTurns
from koebin.worker.celery_ext.queue_order import QueueOrder

log = logging.getLogger(__name__)

_TAKE: Final = """
if redis.call('EXISTS', unpack(KEYS, 4)) == 0 then
    local second = tonumber(redis.call('TIME')[1])
    local now = KEYS[3] .. ':' .. second
    local count = redis.pcall('INCRBY', now, ARGV[2])
    if type(count) == 'table' and count.err then
        if string.find(count.err, 'OOM', 1, true) then return 0 end
        return count
    end
    if count == tonumber(ARGV[2]) then redis.call('EXPIRE', now, 3) end
    return tonumber(redis.call('GET', KEYS[3] .. ':' .. (second - 1)) or 0)
end
local now = redis.call('TIME')
for at = 4, #KEYS do
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
"""Keys: those of the unacknowledged, the counter of looks, then the lists in the order in which they are served.
Arguments: the tag under which a message is noted, for its own may be another's too; how many queues are served.

Answers as ``BRPOP`` does. The message goes back to the queue that it was taken from, whatever it says; one that is no
JSON is parked instead. Where there is nothing it answers how often idle workers have looked into one of these queues in
the last second: each counts its looks for one of its queues, as often as it has queues.
"""
_SEPARATOR: Final = "\x06\x16"
"""Between the name of a queue and the priority in the name of a list."""
_TAKE_DIGEST: Final = hashlib.sha1(_TAKE.encode(), usedforsecurity=False).hexdigest()
_NOTHING: Final = "koebin.nothing"
"""A list that stays empty."""
REST_SECONDS: Final = 0.05
"""Seconds that a lone idle worker rests. A message waits half as long on average, unless its list is the one waited
at."""
LONGEST_REST_SECONDS: Final = 1.0
LOOKS_PER_SECOND: Final = 20.0
"""Looks into a queue by all idle workers together: one of them looks soon enough, however many they are."""
_WATCHERS: Final = 8.0
"""Of many workers so many wait at a list; when a message comes, the server wakes all that do."""

# Every worker asks, and seldom is there anything: only then is it worth a lock.
_OVERDUE: Final = """
local oldest = redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')
return oldest[2] and tonumber(oldest[2]) <= tonumber(redis.call('TIME')[1]) - ARGV[1] and 1 or 0
"""

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
            append = client.register_script(_APPEND)
            append(keys=[self.unacked_index_key, self.unacked_key], args=[delivery_tag, noted])
        LocalQoS.append(self, message, delivery_tag)

    def restore_visible(self, start: int = 0, num: int | None = None, interval: int = 1) -> None:
        """Requeue messages that were not renewed within the visibility timeout, at every ``interval``-th call."""
        self._vrestore_count += 1
        if (self._vrestore_count - 1) % max(1, interval):
            return
        with self.channel.conn_or_acquire() as client:
            overdue = client.register_script(_OVERDUE)
            if not overdue(keys=[self.unacked_index_key], args=[self.visibility_timeout]):
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
    _script_known = True
    _rest_seconds = 0.0
    _idle_workers = 1.0
    _turns: FairTurns | None = None

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
            tag = str(uuid4())
            command = self._look(queues, tag)
            self.client.set_response_callback("BRPOP", partial(self._taken, tag))
        self._in_poll = self.client.connection
        self._brpop_sent_at = time.monotonic()
        self.client.connection.send_command(*command)

    def _look(self, queues: Sequence[str], tag: str) -> list[Any]:
        """Take the next message, if there is one."""
        lists = [self._q_for_pri(queue, priority) for priority in self._fair_turns().order() for queue in queues]
        looks = redis_keys.looks(random.choice(queues))
        keys = [self.qos.unacked_index_key, self.qos.unacked_key, looks, *lists]
        script = ["EVALSHA", _TAKE_DIGEST] if self._script_known else ["EVAL", _TAKE]
        self._script_known = True
        return [*script, len(keys), *keys, tag, len(queues)]

    def _rest(self) -> list[Any]:
        """Rest, but not past an urgent message in the queue that was served last; the message stays there."""
        seconds = round(max(REST_SECONDS, min(LONGEST_REST_SECONDS, self._rest_seconds)) * random.uniform(0.8, 1.2), 3)
        order = self._queue_cycle
        # A client that waits for answers, to an inspection for instance, serves no queue in rounds.
        if not isinstance(order, QueueOrder) or not self._may_watch or random.random() * self._idle_workers > _WATCHERS:
            return ["BRPOP", _NOTHING, seconds]
        watched = self._q_for_pri(order.latest(), self.priority_steps[0])
        return ["BLMOVE", watched, watched, "RIGHT", "RIGHT", seconds]

    def _taken(self, tag: str, answer: Any, **_: Any) -> tuple[bytes, bytes] | None:
        """The list and what was taken off it, as an envelope that kombu can read."""
        if isinstance(answer, int):
            self._rest_seconds = next_rest(max(REST_SECONDS, self._rest_seconds), answer)
            self._idle_workers = max(1.0, answer * self._rest_seconds)
        if not isinstance(answer, list):
            return None
        name, raw = answer
        queue, _, step = name.decode(errors="replace").partition(_SEPARATOR)
        self._fair_turns().taken(int(step) if step.isdecimal() else self.priority_steps[0])
        return name, read(raw, queue, tag)

    def _fair_turns(self) -> FairTurns:
        if self._turns is None:
            self._turns = FairTurns(self.priority_steps)
        return self._turns

    def _brpop_read(self, **options: Any) -> Any:
        try:
            return super()._brpop_read(**options)  # type: ignore[misc]
        except NoScriptError as error:  # the server was started again, or somebody flushed its scripts
            self._script_known = False
            raise Empty from error
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


def _nothing_taken(_answer: Any, **_: Any) -> None:
    """Nothing was while the worker rested, though an answer may have come."""


def next_rest(rest_seconds: float, looks: float) -> float:
    """How long an idle worker rests next.

    Args:
        rest_seconds: how long it rested last.
        looks: by all idle workers into one queue in the last second.
    """
    factor = min(1.5, max(0.5, looks / LOOKS_PER_SECOND))
    return max(REST_SECONDS, min(LONGEST_REST_SECONDS, rest_seconds * factor))


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
