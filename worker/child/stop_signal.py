"""SIGTERM in a pool process: one that a supervisor sends to the whole group is left to the parent.

systemd's default, and others, signal parent and child at once. The parent then orders its child to drain. A signal that
comes about the same time is the supervisor's; any other is the parent's, as for a task that is revoked.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path
from typing import Any, Final

_TOGETHER_SECONDS: Final = 2.0
"""Between a supervisor's signal to this process and the order that its parent writes for it."""


def leave_group_signals_to_parent(drain_order: Path) -> None:
    """Install the handler; called in the main thread of a pool process.

    Args:
        drain_order: the file with which the parent orders its child to drain.
    """
    obey = signal.getsignal(signal.SIGTERM)
    waiting: list[float] = []

    def again() -> None:
        os.kill(os.getpid(), signal.SIGTERM)

    def on_term(number: int, frame: Any) -> None:
        if _ordered_just_now(drain_order):
            waiting.clear()
        elif not waiting:
            waiting.append(time.monotonic())
            timer = threading.Timer(_TOGETHER_SECONDS, again)
            timer.daemon = True
            timer.start()
        elif time.monotonic() - waiting[0] >= _TOGETHER_SECONDS:
            signal.signal(number, obey if obey is not None else signal.SIG_DFL)
            if callable(obey):
                obey(number, frame)
            else:
                os.kill(os.getpid(), number)

    signal.signal(signal.SIGTERM, on_term)


def _ordered_just_now(drain_order: Path) -> bool:
    try:
        return time.time() - drain_order.stat().st_mtime < 2 * _TOGETHER_SECONDS
    except OSError:
        return False
