"""Announcer: says what this worker serves, at once when that changes, and that it lives by a short heartbeat."""

from __future__ import annotations

import logging
import math
import time
from typing import Final

from redis import Redis

from koebin.tasks.broker.fleet import ANNOUNCEMENT_SECONDS, Announcement, namesakes
from koebin.tasks.broker.fleet_summary import FleetSummary
from koebin.worker.parent.supervisor import LoopState

log = logging.getLogger(__name__)

LOOK_SECONDS: Final = 0.2
"""Between two looks at the loop's state, which cost Redis nothing."""


class Announcer:
    """Announces a worker while it is ready.

    Args:
        heartbeat_seconds: between two signs of life; a third of what an announcement outlives its last one.
    """

    def __init__(self, redis: Redis, loop: LoopState, heartbeat_seconds: float = 5.0) -> None:
        self._redis = redis
        self._fleet = FleetSummary(redis)
        self._loop = loop
        self._heartbeat_seconds = heartbeat_seconds
        self._said_at = 0.0
        self._digest = ""
        self._announced: Announcement | None = None
        self._look_at: float | None = None

    def step(self) -> None:
        """Announce, withdraw, or send a heartbeat, if one of them is due."""
        announcement = None if self._loop.stopping else self._loop.announcement
        if announcement is None:
            self.withdraw()
            return
        if announcement == self._announced and time.monotonic() - self._said_at < self._heartbeat_seconds:
            return
        self._digest = self._fleet.announce(announcement, self._digest)
        self._announced, self._said_at = announcement, time.monotonic()
        self._warn_of_namesakes(announcement)

    def _warn_of_namesakes(self, announcement: Announcement) -> None:
        """Once, when the announcement of one that this worker may have replaced has expired."""
        if self._look_at is None:
            self._look_at = time.monotonic() + ANNOUNCEMENT_SECONDS + self._heartbeat_seconds
        elif time.monotonic() >= self._look_at:
            self._look_at = math.inf
            if namesakes(self._redis, announcement):
                log.warning(
                    "another live worker has the name %s, too: logs and Celery's tools confuse the two; "
                    "give each its own with --name",
                    announcement.worker,
                )

    def withdraw(self) -> None:
        """Withdraw what was announced."""
        if self._announced is not None:
            self._fleet.withdraw(self._announced.key)
            self._announced, self._digest = None, ""
