"""Leash of a foreign program: ends it, and all that it has started, when the process that wants its output is gone.

It runs as a file of its own, before any package can be found: ``leash.py PROGRAM ARGUMENT...``. Its standard input is a
pipe that only that process holds, be that ended by SIGKILL. The program shares its group, and ends with the group.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from typing import Final

NOT_STARTED: Final = 200
"""Exit codes from here on are the reason why the program could not be started, an ``errno`` added to this."""
_SIGNALS: Final = 128
"""A program that a signal has ended counts as a shell counts it."""


def main(argv: Sequence[str]) -> None:
    """Run the program; its exit code is this one's."""
    try:
        program = subprocess.Popen(argv, stdin=subprocess.DEVNULL)
    except OSError as error:
        os._exit(NOT_STARTED + min(error.errno or 0, 255 - NOT_STARTED))
    threading.Thread(target=_leave_with, args=(program,), daemon=True).start()
    while os.read(0, 1 << 10):
        pass
    os.killpg(0, signal.SIGKILL)


def _leave_with(program: subprocess.Popen[bytes]) -> None:
    status = program.wait()
    os._exit(status if status >= 0 else _SIGNALS - status)


if __name__ == "__main__":
    main(sys.argv[1:])
