"""Repeating thread of a worker's parent: one for each thing, so that none waits for another."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Final

from redis.exceptions import RedisError

log = logging.getLogger(__name__)

_END_SECONDS: Final = 5.0
_REST: Final = 4.0
"""A step that took long is followed by a pause of so many times that, so that it takes a fifth of the time at most."""


class RepeatingThread(threading.Thread):
    """A thread that does one step again and again, from its start to the end of the process.

    Args:
        step: what is done; an error of it is logged, and the next step is made all the same.
        every_seconds: between two steps.
        consequence: what an outage of Redis means for it, for the log.
        at_end: what is done after the last step.
    """

    def __init__(
        self,
        name: str,
        step: Callable[[], object],
        every_seconds: float,
        *,
        consequence: str = "",
        at_end: Callable[[], object] | None = None,
    ) -> None:
        super().__init__(name=f"koebin-{name}", daemon=True)
        self._purpose = name
        self._step = step
        self._every = every_seconds
        self._consequence = consequence
        self._at_end = at_end
        self._ended = threading.Event()
        self._wanted = threading.Event()
        self._cut_off = False

    def run(self) -> None:
        pause = 0.0
        while not self._ended.is_set():
            self._wanted.wait(pause)
            self._wanted.clear()
            if self._ended.is_set():
                return
            began = time.monotonic()
            self._do()
            pause = max(self._every, min(60.0, _REST * (time.monotonic() - began)))

    def now(self) -> None:
        """Make the next step at once."""
        self._wanted.set()

    def end(self) -> None:
        """Make no further step, and wait for the one that is being made, though not for ever."""
        self._ended.set()
        self._wanted.set()
        if self.is_alive():
            self.join(_END_SECONDS)
        if self._at_end is not None:
            try:
                self._at_end()
            except RedisError as error:
                log.warning("%s: Redis does not answer at the end: %s", self._purpose, error)

    def _do(self) -> None:
        try:
            self._step()
        except RedisError as error:
            if not self._cut_off:
                log.warning("Redis does not answer; %s: %s", self._consequence or self._purpose, error)
            self._cut_off = True
            return
        except Exception:
            log.exception("unexpected error in the thread %s; it goes on", self.name)
        if self._cut_off:
            log.info("Redis answers again")
        self._cut_off = False
