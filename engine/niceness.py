"""Niceness of single threads, for work that is to go behind the rest of its process."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from typing import Final

_NICENESS: Final = 10


def go_behind(thread: int | None = None) -> None:
    """Let a thread, and those that it starts from now on, go behind those of usual niceness. There is no way back.

    Only Linux has threads with a niceness of their own.

    Args:
        thread: the system's number of it; None is this one.
    """
    if sys.platform == "linux":
        with contextlib.suppress(OSError):  # it has just ended
            os.setpriority(os.PRIO_PROCESS, thread or threading.get_native_id(), _NICENESS)
