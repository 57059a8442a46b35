"""Micro-batching: single texts for one speaker, gathered and handed to the pool as one job.

The batch is only the way to the pool process: every request keeps its lease, its attempts and its acknowledgement, and
runs there as a task of its own. Sentences that are missing are rendered in one pass before
(``koebin.tasks.running.render_together``).
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any, Final

from billiard.einfo import ExceptionInfo
from billiard.exceptions import Terminated
from celery.exceptions import TaskRevokedError
from celery.worker.request import Request
from celery.worker.state import task_ready

from koebin.tasks.contracts import RENDER, SYNTHESIZE
from koebin.worker.celery_ext.held_leases import HeldLeases
from koebin.worker.child.speak_texts import Call, speak_texts, text_of

log = logging.getLogger(__name__)

LOOK_SECONDS: Final = 0.01
"""Seconds between two checks; a batch is sent when two in a row saw nothing new. Celery's loop runs timers before
it reads: on a busy machine a message may have come by the first."""
LONGEST_SECONDS: Final = 0.2
"""Seconds after which a batch is sent in any case."""
LONGEST_CHARACTERS: Final = 200
"""A longer text runs alone: it fills a batch by itself, and a batch of such texts would exceed one task's time
limit."""


class MicroBatcher:
    """Micro-batches of each queue, gathered until they are full, for a moment, or until the pool process is free.

    While a full batch runs the next one is gathered. While a batch runs that was not full, one more text is accepted:
    later ones go to an idle worker.

    Args:
        run: Celery's own way to the pool; it waits for a free process.
        consumer: its prefetch count grows by one with each text that is gathered. So texts come in while there is room,
            and of chunks never more than one waits.
        limit: most texts of a batch, and most that are gathered at once.
    """

    def __init__(self, run: Callable[[Any], Any], consumer: Any, held_leases: HeldLeases, limit: int) -> None:
        self._run = run
        self._consumer = consumer
        self._held_leases = held_leases
        self._limit = limit
        self._gathered: dict[str, MicroBatch] = {}
        self._running: list[tuple[MicroBatch, bool]] = []
        """With whether it was full when it began. Two for a moment: Celery says that a process is free before it says
        that what it ran has ended."""

    def add(self, request: Request) -> None:
        """Gather a text; any other request goes to the pool, after what was gathered before it."""
        if not self._gathers(request):
            self._send_all()
            self._run(request)
            return
        queue = str(request.delivery_info.get("routing_key"))
        if queue not in self._gathered:
            self._gathered[queue] = batch = MicroBatch(lambda: self._begin(queue), lambda: self._end(batch))
            self._consumer.timer.call_after(LOOK_SECONDS, self._look, (batch, 0, 0, time.monotonic() + LONGEST_SECONDS))
        self._gathered[queue].requests.append(request)
        if self._waiting() >= self._limit:
            self._send_all()
        self._adjust()

    def drop(self) -> None:
        """Give back what no process has begun: the connection is lost, or the worker shuts down."""
        for batch in self._gathered.values():
            batch.dropped = True
            for request in batch.requests:
                self._held_leases.release(request.id)
        self._gathered.clear()

    def _begin(self, queue: str) -> None:
        full = self._waiting() >= self._limit
        batch = self._gathered.pop(queue)
        self._running.append((batch, full))
        self._held_leases.observer.batch("texts", len(batch.requests), self._limit)
        self._adjust()

    def _end(self, batch: MicroBatch) -> None:
        self._running = [entry for entry in self._running if entry[0] is not batch]
        self._adjust()

    def _waiting(self) -> int:
        return sum(len(batch.requests) for batch in self._gathered.values())

    def _adjust(self) -> None:
        """Set the prefetch count.

        It is never below the present number plus one until that next message has come. kombu has already asked Redis
        for it, and a message that Redis has handed out and nobody reads comes back only after the visibility timeout.
        """
        waiting = self._waiting()
        running = sum(len(batch.requests) for batch, _ in self._running)
        crowded = bool(self._running) and not self._running[-1][1]
        wanted = running + (max(1, waiting) if crowded else min(self._limit, waiting + 1))
        qos = self._consumer.qos
        more = wanted - qos.value
        (qos.increment_eventually if more > 0 else qos.decrement_eventually)(abs(more))

    def _gathers(self, request: Request) -> bool:
        """Whether a request may join a batch. A text that ended a process runs alone from then on, and so does one with
        a time limit of its own.
        """
        if request.name not in (SYNTHESIZE, RENDER) or any(request.request_dict.get("timelimit") or ()):
            return False
        if len(text_of(call_of(request))) > LONGEST_CHARACTERS:
            return False
        return not getattr(request, "strikes", 0)

    def _send_all(self) -> None:
        for batch in list(self._gathered.values()):
            self._send(batch)

    def _look(self, batch: MicroBatch, before: int, quiet: int, at_last: float) -> None:
        """Send the batch unless more texts have come meanwhile."""
        size = len(batch.requests)
        quiet = 0 if size > before else quiet + 1
        if quiet < 2 and time.monotonic() < at_last:
            self._consumer.timer.call_after(LOOK_SECONDS, self._look, (batch, size, quiet, at_last))
        else:
            self._send(batch)

    def _send(self, batch: MicroBatch) -> None:
        """Ask for a process; until one is free, the batch keeps growing."""
        if not batch.sent and not batch.dropped:
            batch.sent = True
            self._run(batch)


class MicroBatch:
    """Several requests that look like one to Celery's worker.

    Args:
        begun: called before the batch goes to a process; no text is added after that.
        ended: called after the last request has ended.

    Attributes:
        sent: a process has been asked for.
        dropped: it was given back before one was free.
    """

    def __init__(self, begun: Callable[[], object], ended: Callable[[], None]) -> None:
        self.requests: list[Request] = []
        self.sent = False
        self.dropped = False
        self._begun = begun
        self._ended = ended

    def execute_using_pool(self, pool: Any, **_: Any) -> Any:
        """Called by Celery when a process is free.

        Raises:
            TaskRevokedError: nothing is left to do.
        """
        if self.dropped:
            raise TaskRevokedError("all texts of the micro-batch were given back")
        self._begun()
        self.requests = [request for request in self.requests if not request.revoked()]
        if not self.requests:
            self._ended()
            raise TaskRevokedError("all texts of the micro-batch were revoked")
        return pool.apply_async(
            speak_texts,
            args=([call_of(request) for request in self.requests],),
            accept_callback=self._accepted,
            timeout_callback=self._timed_out,
            callback=self._returned,
            error_callback=self._failed,
            correlation_id=self.requests[0].id,
        )

    def _accepted(self, pid: str, time_accepted: float) -> None:
        for request in self.requests:
            request.on_accepted(pid, time_accepted)

    def _returned(self, results: list[Any]) -> None:
        outcome = dict(zip((request.id for request in self.requests), results, strict=True))
        self._end(lambda request: request.on_success(outcome[request.id]))

    def _failed(self, einfo: ExceptionInfo) -> None:
        """The process died, or was ended because one of the texts was revoked."""
        terminated = isinstance(getattr(einfo.exception, "exc", einfo.exception), Terminated)

        def end(request: Request) -> None:
            if terminated and not _revoked(request):
                task_ready(request)
                request.reject(requeue=True)
            else:
                request.on_failure(einfo)

        self._end(end)

    def _timed_out(self, soft: bool, timeout: float) -> None:
        self._end(lambda request: request.on_timeout(soft, timeout))

    def _end(self, end: Callable[[Request], object]) -> None:
        """End every request, whatever happens to its neighbours."""
        for request in self.requests:
            try:
                end(request)
            except Exception:
                log.exception("the end of a text could not be handled", extra={"task_id": request.id})
        self._ended()


def _revoked(request: Request) -> bool:
    """Whether the request was revoked; Celery keeps that in a private attribute."""
    return bool(request._already_revoked)  # type: ignore[attr-defined]


def call_of(request: Request) -> Call:
    """Arguments with which the pool process runs the request."""
    return Call(
        request.name,
        request.id,
        request.request_dict,
        request.body,
        request.content_type,
        request.content_encoding,
    )
