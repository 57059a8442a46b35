"""Events of jobs for many who listen, with one question to Redis for all of them."""

from __future__ import annotations

import asyncio
import logging
import re
import time
import weakref
from collections.abc import AsyncIterator
from typing import Final

from redis.exceptions import RedisError

from koebin.producers.http.door import Door

log = logging.getLogger(__name__)

_LOOK_SECONDS: Final = 0.3
_QUIET_SECONDS: Final = 15.0
"""After which a sign of life is sent: proxies close what is silent."""
_ID: Final = re.compile(r"\d{1,20}-\d{1,20}")


class _Listener:
    def __init__(self, job: str, after: str) -> None:
        self.job = job
        self.after = after
        self.events: asyncio.Queue[str] = asyncio.Queue()


class EventHub:
    """Looks for events of all jobs that somebody listens to, while anybody does."""

    def __init__(self, door: Door) -> None:
        self._door = door
        self._listeners: set[_Listener] = set()
        self._task: asyncio.Task[None] | None = None

    async def listen(self, job: str, after: str) -> AsyncIterator[str]:
        """Ids of events after ``after``; "" as a sign of life."""
        listener = _Listener(job, after)
        self._listeners.add(listener)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._look(), name="koebin-http-events")
        try:
            while True:
                try:
                    yield await asyncio.wait_for(listener.events.get(), _QUIET_SECONDS)
                except TimeoutError:
                    yield ""
        finally:
            self._listeners.discard(listener)

    async def _look(self) -> None:
        while self._listeners:
            oldest: dict[str, str] = {}
            for listener in self._listeners:
                known = oldest.get(listener.job)
                oldest[listener.job] = min(known, listener.after, key=_order) if known else listener.after
            try:
                found = await self._door.in_thread(self._door.client.ledger.events_of, oldest)
            except RedisError as error:
                log.warning("events cannot be looked for: %s", error)
                found = {}
            for listener in list(self._listeners):
                for event_id in found.get(listener.job, ()):
                    if _order(event_id) > _order(listener.after):
                        listener.after = event_id
                        listener.events.put_nowait(event_id)
            await asyncio.sleep(_LOOK_SECONDS)


_HUBS: Final[weakref.WeakKeyDictionary[Door, EventHub]] = weakref.WeakKeyDictionary()


def job_events(door: Door, job: str, last: str | None) -> AsyncIterator[str]:
    """Ids of a job's events after the one that a client has seen last, else from now on; "" as a sign of life."""
    now = f"{int((time.time() - 1.0) * 1000)}-0"
    after = last if last and _ID.fullmatch(last) else now
    if door not in _HUBS:
        _HUBS[door] = EventHub(door)
    return _HUBS[door].listen(job, after)


def _order(event_id: str) -> tuple[int, int]:
    first, _, second = event_id.partition("-")
    return int(first or 0), int(second or 0)
