"""Death signal of the kernel's, by which a child ends with the thread that has started it. Linux alone."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Callable
from typing import Final

_PR_SET_PDEATHSIG: Final = 1


def death_signal(number: signal.Signals) -> Callable[[], None]:
    """Function for ``preexec_fn``: the child gets ``number`` when the thread that started it ends."""
    parent = os.getpid()
    return lambda: end_with(parent, number)


def end_with(parent: int, number: signal.Signals) -> None:
    """Have this process get ``number`` when the thread that started it ends; it ends now if its parent is gone."""
    if not sys.platform.startswith("linux"):
        return
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, int(number), 0, 0, 0)
    if os.getppid() != parent:  # it ended before that was said
        os._exit(1)
