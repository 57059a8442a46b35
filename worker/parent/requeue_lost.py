"""Requeueing of lost work: tasks that are neither queued, leased, delayed nor done.

Work gets lost between moving a chunk in the ledger and sending its message, with a purged queue, or with a Redis that
lost its data. Every worker's parent searches for it; a short lock lets one at a time.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from typing import Any, Final

from redis import Redis

from koebin.tasks import redis_keys
from koebin.tasks.broker.delayed import Send, delayed_ids, send_due
from koebin.tasks.broker.fleet import Fleet, fleet
from koebin.tasks.broker.leases import Leases
from koebin.tasks.connection import as_text
from koebin.tasks.contracts import PRIORITY_STEPS
from koebin.tasks.jobs.dispatch import assemble_message, chunk_message, dispatch, needs
from koebin.tasks.jobs.ledger import Entry, Ledger, State
from koebin.tasks.redis_keys import ASSEMBLE_QUEUE, assemble_task, chunk_task, priority_list, speaker_queue

log = logging.getLogger(__name__)

_SUSPECT_SECONDS: Final = 60
_PAGE: Final = 500


class LostWork:
    """Search for lost work in all live jobs."""

    def __init__(self, redis: Redis, leases: Leases, send: Send, interval_seconds: float) -> None:
        self._redis = redis
        self._leases = leases
        self._ledger = Ledger(redis)
        self._send = send
        self._interval = interval_seconds

    def run(self) -> int:
        """Search once, unless another worker just did; returns the number of messages sent."""
        if not self._redis.set(redis_keys.REQUEUE_LOCK, "1", nx=True, px=max(100, int(self._interval * 900))):
            return 0
        sent = send_due(self._redis, self._send)
        workers = fleet(self._redis)
        entries = self._ledger.live_entries()
        for entry in entries:
            sent += dispatch(self._ledger, workers, self._send, entry)
            self._say_what_is_missing(entry, workers)
        return sent + self._requeue_lost(entries)

    def _say_what_is_missing(self, entry: Entry, workers: Fleet) -> None:
        unfinished = set(self._ledger.waiting_seconds(entry.job)) if entry.state is State.RUNNING else set()
        missing = needs(entry, workers, unfinished)
        if missing:
            self._ledger.wait_for(entry.job, missing)

    def _requeue_lost(self, entries: list[Entry]) -> int:
        """Send again the tasks that were missing twice in a row."""
        candidates = dict(self._expected(entries))
        missing = candidates.keys() - self._leases.leased(list(candidates)) if candidates else set()
        if missing:
            missing -= self._queued({entry.job: entry for entry in entries}) | delayed_ids(self._redis)
        before: Any = self._redis.smembers(redis_keys.REQUEUE_SUSPECTS)
        lost = missing & {as_text(name) for name in before}
        self._redis.delete(redis_keys.REQUEUE_SUSPECTS)
        if fresh := missing - lost:
            self._redis.sadd(redis_keys.REQUEUE_SUSPECTS, *fresh)
            self._redis.expire(redis_keys.REQUEUE_SUSPECTS, _SUSPECT_SECONDS)
        for task_id in sorted(lost):
            entry, number, speaker = candidates[task_id]
            log.warning("lost work requeued: it was neither queued, running nor done", extra={"task_id": task_id})
            if number is None:
                self._send(assemble_message(entry))
            else:
                self._ledger.touch(entry.job, speaker, number)
                self._send(chunk_message(entry, number, speaker))
        return len(lost)

    def _expected(self, entries: list[Entry]) -> Iterator[tuple[str, tuple[Entry, int | None, str]]]:
        """Ids of the tasks that must be somewhere."""
        for entry in entries:
            if entry.state is State.ASSEMBLING:
                yield assemble_task(entry.job), (entry, None, "")
            for speaker in entry.speakers:
                for number, _dispatched in self._ledger.open(entry.job, speaker):
                    yield chunk_task(entry.job, number), (entry, number, speaker)

    def _queued(self, entries: dict[str, Entry]) -> set[str]:
        """Ids of the tasks in our queues and among the unacknowledged messages."""
        speakers = {speaker for entry in entries.values() for speaker in entry.speakers}
        queues = [ASSEMBLE_QUEUE, *(speaker_queue(speaker) for speaker in speakers)]
        found: set[str] = set()
        for queue in queues:
            for step in PRIORITY_STEPS:
                found.update(self._listed(priority_list(queue, step)))
        for _tag, value in self._redis.hscan_iter(redis_keys.UNACKED, count=_PAGE):
            found.add(_task_id(value, inside=True))
        return found

    def _listed(self, name: str) -> Iterator[str]:
        start = 0
        while rows := self._page(name, start):
            for row in rows:
                yield _task_id(row)
            start += _PAGE

    def _page(self, name: str, start: int) -> list[bytes]:
        rows: Any = self._redis.lrange(name, start, start + _PAGE - 1)
        return list(rows)


def _task_id(raw: bytes, *, inside: bool = False) -> str:
    """Task id of a message as it lies in a queue, or in a list with its route; "" if it is not a task."""
    try:
        message = json.loads(raw)
        return str((message[0] if inside else message)["headers"]["id"])
    except (ValueError, TypeError, LookupError):
        return ""
