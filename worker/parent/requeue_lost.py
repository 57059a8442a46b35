"""Requeueing of lost work: tasks that are neither queued, leased, delayed nor done.

Work gets lost between moving a chunk in the ledger and sending its message, or with a purged queue. A job that Redis
forgot is not found here, because the search begins at the ledger: see ``koebin.tasks.jobs.recovery``. One worker's
parent searches at a time: it leads until it ends, and remembers what was missing.

A round is bounded in time and never holds the server for long: what is not done in it is done in the next.
"""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Iterable
from functools import cache
from typing import Final

from redis import Redis

from koebin.engine.errors import JobNotFound
from koebin.tasks import redis_keys
from koebin.tasks.broker.delayed_messages import Send, send_due
from koebin.tasks.broker.fleet_summary import ASSEMBLERS, FleetSummary, Summary
from koebin.tasks.broker.leadership import Leadership
from koebin.tasks.broker.leases import Leases
from koebin.tasks.broker.queue_census import QueueCensus
from koebin.tasks.jobs.dispatch import CHUNKS_PER_CHILD, assemble_message, chunk_message, dispatch, lacks
from koebin.tasks.jobs.ledger import Ledger, State
from koebin.tasks.jobs.live_jobs import Lacking, LiveJobs
from koebin.tasks.priorities import PRIORITY_STEPS
from koebin.tasks.redis_keys import ASSEMBLE_QUEUE, assemble_task, chunk_task, priority_list, speaker_queue

log = logging.getLogger(__name__)

_DISPATCH_SECONDS: Final = 1.0
"""Of one round; jobs that come after it are first again in the next, because those before them need nothing more."""
_CENSUS_PAGES: Final = 25
"""Of one round: five thousand messages."""
_LEAD_ROUNDS: Final = 3
"""Rounds of silence after which another worker leads."""
_SHORTEST_LEAD: Final = 2.0


class LostWork:
    """Search for lost work in all live jobs."""

    def __init__(self, redis: Redis, leases: Leases, send: Send, interval_seconds: float) -> None:
        self._redis = redis
        self._leases = leases
        self._ledger = Ledger(redis)
        self._jobs = LiveJobs(redis)
        self._fleet = FleetSummary(redis)
        self._send = send
        self._lead = Leadership(redis, redis_keys.REQUEUE_LOCK, max(_SHORTEST_LEAD, _LEAD_ROUNDS * interval_seconds))
        self._census: QueueCensus | None = None
        self._suspects: set[str] = set()
        self._told: dict[str, tuple[object, ...]] = {}
        self._tasks: dict[str, tuple[str, str, int]] = {}

    def run(self) -> int:
        """Search once, unless another worker does; returns the number of messages sent."""
        if not self._lead.hold():
            self._census, self._suspects = None, set()
            return 0
        sent = send_due(self._redis, self._send)
        workers = self._fleet.count()
        windows = {name: CHUNKS_PER_CHILD * count for name, count in workers.counts.items() if name != ASSEMBLERS}
        lacking = list(self._jobs.lacking(windows, workers.assemblers()))
        self._say_what_is_missing(lacking, workers)
        sent += self._dispatch([found.job for found in lacking if found.ready], workers)
        return sent + self._requeue_lost(lacking)

    def end(self) -> None:
        """Let another worker search at once."""
        self._lead.release()

    def _say_what_is_missing(self, lacking: Iterable[Lacking], workers: Summary) -> None:
        """Note in each job what it waits for; its entry is read only if something of that is new."""
        unserved = {found.job: found for found in lacking if found.unserved}
        live = cache(lambda speaker: tuple(workers.live(speaker)))
        asked: dict[str, tuple[object, ...]] = {
            job: (found.waiting, *((name, live(name)) for name in found.unserved)) for job, found in unserved.items()
        }
        news = [job for job, question in asked.items() if self._told.get(job) != question]
        for entry in self._ledger.entries(news):
            reason = lacks(entry, unserved[entry.job].unserved, workers)
            if reason != unserved[entry.job].waiting:
                self._ledger.wait_for(entry.job, reason)
        self._told = asked

    def _dispatch(self, jobs: list[str], workers: Summary) -> int:
        sent, began = 0, time.monotonic()
        for entry in self._ledger.entries(jobs):
            if time.monotonic() - began > _DISPATCH_SECONDS or not self._lead.hold():
                break
            sent += dispatch(self._ledger, workers, self._send, entry)
        return sent

    def _requeue_lost(self, lacking: list[Lacking]) -> int:
        """Send again the tasks that were missing in two searches of the queues."""
        if self._census is None:
            self._begin_census(lacking)
        if self._census is None or not self._census.step(_CENSUS_PAGES):
            return 0
        missing, self._census = self._census.missing(), None
        lost = [task for task in sorted(missing & self._suspects) if self._is_lost(task)]
        self._suspects = missing - set(lost)
        for task in lost:
            self._requeue(task)
        return len(lost)

    def _begin_census(self, lacking: Iterable[Lacking]) -> None:
        tasks = {
            assemble_task(found.job) if number < 0 else chunk_task(found.job, number): (found.job, speaker, number)
            for found in lacking
            for speaker, number in found.unleased
        }
        self._tasks = {name: self._tasks[name] for name in self._suspects if name in self._tasks} | tasks
        if self._tasks:
            speakers = sorted({speaker for _, speaker, number in self._tasks.values() if number >= 0})
            queues = [ASSEMBLE_QUEUE, *(speaker_queue(speaker) for speaker in speakers)]
            lists = [priority_list(queue, step) for queue in queues for step in PRIORITY_STEPS]
            self._census = QueueCensus(self._redis, self._tasks, lists)

    def _is_lost(self, task: str) -> bool:
        """Whether a task that was nowhere still has to be somewhere, and nobody runs it by now."""
        job, speaker, number = self._tasks[task]
        if self._leases.leased([task]):
            return False
        if number < 0:
            return self._ledger.state(job) is State.ASSEMBLING
        return self._ledger.is_open(job, speaker, number)

    def _requeue(self, task: str) -> None:
        job, speaker, number = self._tasks[task]
        with contextlib.suppress(JobNotFound):
            entry = self._ledger.entry(job)
            log.warning("lost work requeued: it was neither queued, running nor done", extra={"task_id": task})
            if number < 0:
                self._send(assemble_message(entry))
            else:
                self._ledger.touch(job, speaker, number)
                self._send(chunk_message(entry, number, speaker))
