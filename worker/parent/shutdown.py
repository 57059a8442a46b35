"""Shutdown of a worker: what the first signal begins, and until when the work in progress may go on."""

from __future__ import annotations

import time
from typing import Any, Final

from celery.signals import setup_logging, worker_shutting_down

from koebin.worker.parent.run_directory import RunDirectory
from koebin.worker.parent.supervisor import LoopState

_LEAVE_SECONDS: Final = 10.0
"""Seconds after the grace period for a chunk to reach its next sentence; then its process is ended."""


def connect_shutdown(grace_period: float, run_dir: RunDirectory, loop: LoopState) -> None:
    """Drain from the first SIGTERM or SIGINT on: the work in progress may go on for ``grace_period`` seconds.

    What a second signal does is Celery's: see ``celery.apps.worker``.
    """

    def keep_our_logs(**_: Any) -> None:
        """Keep Celery from setting up its own logging, by being a receiver."""

    def on_shutting_down(**_: Any) -> None:
        loop.leave_by = time.monotonic() + grace_period + _LEAVE_SECONDS
        loop.stopping = True
        run_dir.order_drain(time.monotonic() + grace_period)

    setup_logging.connect(keep_our_logs, weak=False)
    worker_shutting_down.connect(on_shutting_down, weak=False)
