"""An end for what tests have started when their own process is gone before it could tidy up.

One small process for each process of the tests. It reads from a pipe that only that one holds: the pipe ends with it,
be it by SIGTERM or SIGKILL. A death signal of the kernel's would come with the end of the *thread* that started one.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any, Final

import psutil

_LOOK_SECONDS: Final = 1.0
_reapers: dict[int, subprocess.Popen[bytes]] = {}
"""By the process that started it: a fork has none."""


def reap_later(process: subprocess.Popen[Any], folder: Path | None = None) -> None:
    """End a process with all its children, and remove its folder, if this process ends before that is done."""
    with contextlib.suppress(psutil.NoSuchProcess):
        started = psutil.Process(process.pid).create_time()
        entry = {"pid": process.pid, "started": started, "folder": str(folder) if folder else ""}
        pipe = _reaper().stdin
        assert pipe is not None
        pipe.write(json.dumps(entry).encode() + b"\n")
        pipe.flush()


def end_with_parent() -> None:
    """End this process when its parent is gone, of which it is the only task: a worker of pytest-xdist.

    It looks for itself: a death signal of the kernel's would come with the end of the thread that started it.
    """
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(_LOOK_SECONDS)
        os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=watch, name="end with parent", daemon=True).start()


def _reaper() -> subprocess.Popen[bytes]:
    if os.getpid() not in _reapers:
        _reapers[os.getpid()] = subprocess.Popen(
            [sys.executable, "-P", __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    return _reapers[os.getpid()]


def main() -> None:
    """Read entries until the pipe ends, then end what they name."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    entries = [json.loads(line) for line in sys.stdin.buffer]
    for entry in reversed(entries):
        _end(entry)
    for entry in entries:
        folder = Path(entry["folder"])
        if entry["folder"] and folder.parent == Path(tempfile.gettempdir()) and folder.name.startswith("koebin-"):
            shutil.rmtree(folder, ignore_errors=True)


def _end(entry: dict[str, Any]) -> None:
    with contextlib.suppress(psutil.NoSuchProcess):
        process = psutil.Process(entry["pid"])
        if process.create_time() != entry["started"]:
            return  # another one has its number now
        for each in (*process.children(recursive=True), process):
            with contextlib.suppress(psutil.NoSuchProcess):
                each.kill()


if __name__ == "__main__":
    main()
