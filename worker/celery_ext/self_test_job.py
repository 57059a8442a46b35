"""Pool job by which a process that is in doubt proves that it can work (``koebin.worker.child.self_test``)."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any, Final

from koebin.worker.child.self_test import prove

log = logging.getLogger(__name__)

_FIRST_SECONDS: Final = 2.0
_LONGEST_SECONDS: Final = 30.0
_TIME_LIMIT_SECONDS: Final = 120.0


class Proving:
    """Asks the process for its proof, again after a while if it fails, and longer each time.

    Args:
        run: Celery's own way to the pool; it waits for a free process.
    """

    def __init__(self, run: Callable[[Any], Any]) -> None:
        self._run = run
        self._asked = False
        self._due = 0.0
        self._wait = _FIRST_SECONDS

    def ask(self) -> None:
        """Called while the process is in doubt, at every tick."""
        if self._asked or time.monotonic() < self._due:
            return
        self._asked = True
        self._run(self)

    def trusted(self) -> None:
        """Called while it is not."""
        self._wait = _FIRST_SECONDS

    def execute_using_pool(self, pool: Any, **_: Any) -> Any:
        """Called by Celery when the process is free."""
        return pool.apply_async(
            prove,
            args=(),
            accept_callback=lambda *_: None,
            timeout_callback=lambda *_: self._answered("it takes too long"),
            callback=self._answered,
            error_callback=lambda info: self._answered(str(info.exception)),
            timeout=_TIME_LIMIT_SECONDS,
        )

    def _answered(self, lacking: str) -> None:
        self._asked = False
        self._due = time.monotonic() + (self._wait if lacking else 0.0)
        self._wait = min(_LONGEST_SECONDS, 2 * self._wait) if lacking else _FIRST_SECONDS
        if not lacking:
            log.info("the worker has proved itself")
