"""Waiting for an event, with the one limit that all tests share."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

PATIENCE: Final = 600.0
"""Seconds after which an event is taken to never come: far longer than the busiest machine needs for one."""


def wait_until(condition: Callable[[], object], timeout: float = PATIENCE, what: Callable[[], str] | str = "") -> None:
    """Raises: TimeoutError that says ``what``."""
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() >= deadline:
            raise TimeoutError(what if isinstance(what, str) else what())
        time.sleep(0.02)
