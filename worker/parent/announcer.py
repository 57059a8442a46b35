"""Announcer: says what this worker serves, at once when that changes, and that it lives by a short heartbeat."""

from __future__ import annotations

import time
from typing import Final

from redis import Redis

from koebin.tasks.broker.fleet_summary import FleetSummary
from koebin.worker.parent.supervisor import LoopState

LOOK_SECONDS: Final = 0.2
"""Between two looks at the loop's state, which cost Redis nothing."""


class Announcer:
    """Announces a worker while it is ready.

    Args:
        heartbeat_seconds: between two signs of life; a third of what an announcement outlives its last one.
    """

    def __init__(self, redis: Redis, loop: LoopState, heartbeat_seconds: float = 5.0) -> None:
        self._fleet = FleetSummary(redis)
        self._loop = loop
        self._heartbeat_seconds = heartbeat_seconds
        self._said_at = 0.0
        self._digest = ""
        self._announced: object = None
        self._worker = ""

    def step(self) -> None:
        """Announce, withdraw, or send a heartbeat, if one of them is due."""
        announcement = None if self._loop.stopping else self._loop.announcement
        if announcement is None:
            self.withdraw()
            return
        if announcement == self._announced and time.monotonic() - self._said_at < self._heartbeat_seconds:
            return
        self._digest = self._fleet.announce(announcement, self._digest)
        self._worker, self._announced, self._said_at = announcement.worker, announcement, time.monotonic()

    def withdraw(self) -> None:
        """Withdraw what was announced."""
        if self._worker:
            self._fleet.withdraw(self._worker)
            self._worker, self._announced, self._digest = "", None, ""
