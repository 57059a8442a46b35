"""State machine of one tick, from due to published, in repeatable steps under a lease."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from redis import RedisError

from koebin.engine.errors import (
    BrokerUnavailable,
    InvalidBriefing,
    JobConflict,
    JobNotFound,
    KoebinError,
    SpeakerNotServed,
    TransientError,
)
from koebin.producers.briefings.briefing_file import Briefing
from koebin.producers.briefings.compose import Composed, Submission, Submitter
from koebin.producers.briefings.publish import Edition, edition_of, publish
from koebin.producers.briefings.schedule.journal import Journal, LeaseGone, Tick, TickState
from koebin.producers.briefings.schedule.lease import holding
from koebin.tasks.stores.base import Store

log = logging.getLogger(__name__)


class UnknownBriefing(Exception):
    """The file of a due briefing no longer exists."""

    def __str__(self) -> str:
        return f"the file of briefing {self.args[0]!r} no longer exists"


MAX_ATTEMPTS: Final = 10
"""Attempts at rendering and submitting before a tick fails: a tick that kills its process does not do so for ever."""
FOLLOWED: Final = timedelta(days=31)
"""Seconds after its due time that a tick is still waited for: longer than any ``max_age``."""


@dataclass(frozen=True, slots=True)
class BriefingOutcome:
    """Outcome of a job.

    Attributes:
        error: reason of a failure, "" if its output can be published.
        result: the job's result as JSON, kept in the index.
    """

    error: str
    result: dict[str, Any]


Compose = Callable[[Briefing, datetime], Composed]
Follow = Callable[[Submission], BriefingOutcome | None]
"""Function for a submitted job's outcome; None while it runs."""
OpenStore = Callable[[str], Store]


@dataclass(frozen=True, slots=True)
class Progress:
    """Steps of a tick, with everything they need.

    Attributes:
        compose: renders a briefing; slow, and may fail.
        submit: submits the job; the same submission twice is one job.
        lease_seconds: lifetime of the right to publish after its process dies.
    """

    journal: Journal
    compose: Compose
    submit: Submitter
    follow: Follow
    open_store: OpenStore
    clock: Callable[[], datetime]
    lease_seconds: float = 10.0

    def advance(self, tick_id: str, owner: str, briefing: Briefing | None) -> TickState:
        """Take a tick as far as possible now; the caller holds its lease as ``owner``.

        Args:
            briefing: from its file; None: there is no file, and a tick that is not rendered yet waits for it.

        Raises:
            LeaseGone: another process has it now.
            redis.RedisError: nothing is lost; another call continues.
        """
        tick = self.journal.tick(tick_id)
        if tick is None or tick.state.ended:
            return tick.state if tick else TickState.FAILED
        try:
            return self._step(tick, owner, briefing)
        except (LeaseGone, RedisError):
            raise
        except (TransientError, SpeakerNotServed) as error:
            return self._later(tick, owner, error, attempts=0)
        except KoebinError as error:
            return self._failed(tick, owner, str(error))
        except Exception as error:
            log.exception("briefing %s of %s", tick.name, tick.due.isoformat())
            return self._later(tick, owner, error, attempts=tick.attempts + 1)

    def _step(self, tick: Tick, owner: str, briefing: Briefing | None) -> TickState:
        if tick.state in (TickState.DUE, TickState.RENDERED):
            self._count(tick, owner)
        if tick.state is TickState.DUE:
            if briefing is None:
                return self._later(tick, owner, UnknownBriefing(tick.name), attempts=0)
            tick = self._rendered(tick, owner, briefing)
        if tick.state is TickState.RENDERED:
            tick = self._submitted(tick, owner)
        return self._published(tick, owner)

    def _count(self, tick: Tick, owner: str) -> None:
        if tick.attempts >= MAX_ATTEMPTS:
            raise InvalidBriefing(f"given up after {tick.attempts} attempts", tick.name, tick.error)
        self.journal.change(tick.id, owner, {"attempts": str(tick.attempts + 1)})

    def _rendered(self, tick: Tick, owner: str, briefing: Briefing) -> Tick:
        """Render once: the text is stored before it is sent, so that a second process sends the same."""
        composed = self.compose(briefing, tick.due)
        submission = composed.submission.to_json()
        edition = edition_of(briefing, tick.due, composed).to_json()
        fields = {"state": TickState.RENDERED, "submission": submission, "edition": edition}
        self.journal.change(tick.id, owner, fields)
        return Tick(tick.id, TickState.RENDERED, submission, edition)

    def _submitted(self, tick: Tick, owner: str) -> Tick:
        submission = Submission.from_json(tick.submission)
        try:
            self.submit(submission)
        except JobConflict as error:
            self._check_exists(submission, error)
            log.warning("briefing %s: its job exists with another text, and is used as it is: %s", tick.name, error)
        self.journal.change(tick.id, owner, {"state": TickState.SUBMITTED})
        log.info("briefing %s of %s is job %s", tick.name, tick.due.isoformat(), submission.job)
        return Tick(tick.id, TickState.SUBMITTED, tick.submission, tick.edition)

    def _check_exists(self, submission: Submission, conflict: JobConflict) -> None:
        """Check that the job exists: another process may be submitting it, or have died meanwhile.

        Raises:
            BrokerUnavailable: no such job yet; to be retried.
        """
        try:
            self.follow(submission)
        except JobNotFound:
            raise BrokerUnavailable(conflict.what, conflict.value, conflict.hint) from conflict

    def _published(self, tick: Tick, owner: str) -> TickState:
        outcome = self.follow(Submission.from_json(tick.submission))
        if outcome is None:
            return self._still(tick, owner, "its job has not ended yet")
        if outcome.error:
            return self._failed(tick, owner, outcome.error)
        edition = Edition.from_json(tick.edition)
        with holding(self.journal, f"publish:{tick.name}", self.lease_seconds, rest=0, limit=3600) as publisher:
            if not publisher:
                return TickState.SUBMITTED
            entry = publish(edition, self.open_store(edition.store), outcome.result, self.clock())
        self.journal.change(tick.id, owner, {"entry": json.dumps(entry, ensure_ascii=False)})
        self.journal.end(tick, owner, TickState.PUBLISHED)
        log.info("briefing %s of %s is published: %s", tick.name, edition.due, ", ".join(entry["uris"].values()))
        return TickState.PUBLISHED

    def _failed(self, tick: Tick, owner: str, error: str) -> TickState:
        log.error("briefing %s of %s failed: %s", tick.name, tick.due.isoformat(), error)
        self.journal.end(tick, owner, TickState.FAILED, error)
        return TickState.FAILED

    def _later(self, tick: Tick, owner: str, error: Exception, attempts: int) -> TickState:
        reason = str(error)[:500]
        if reason != tick.error:
            log.warning("briefing %s of %s waits: %s", tick.name, tick.due.isoformat(), reason)
        self.journal.change(tick.id, owner, {"error": reason, "attempts": str(attempts)})
        return self._still(tick, owner, reason)

    def _still(self, tick: Tick, owner: str, reason: str) -> TickState:
        if self.clock() - tick.due > FOLLOWED:
            return self._failed(tick, owner, f"given up: {reason}")
        return tick.state
