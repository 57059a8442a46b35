"""Tests leave nothing running, however pytest itself ends."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tests.servers.worker import ROOT, wait_until

SLEEPER = """
import threading, time
from tests.servers.redis import RedisServer

def test_sleeps():
    server = RedisServer()
    thread = threading.Thread(target=server.start)  # a death signal of the kernel's would come when it ends
    thread.start()
    thread.join()
    time.sleep(1)
    print(server.pid, server.folder, flush=True)
    with open({note!r}, "w") as note:
        note.write(f"{{server.pid}} {{server.folder}}")
    time.sleep(600)
"""


@pytest.mark.parametrize("number", [pytest.param(signal.SIGTERM, marks=pytest.mark.slow), signal.SIGKILL])
@pytest.mark.parametrize("workers", ["0", pytest.param("1", marks=pytest.mark.slow)])
def test_servers_end_with_pytest(number: signal.Signals, workers: str, tmp_path: Path) -> None:
    note, test = tmp_path / "note", tmp_path / "test_sleeper.py"
    test.write_text(SLEEPER.format(note=str(note)))
    (tmp_path / "conftest.py").write_text("from tests.conftest import pytest_configure\n")
    command = [sys.executable, "-m", "pytest", "-q", "-n", workers, "-p", "no:cacheprovider", str(test)]
    command += [f"--rootdir={tmp_path}", f"--confcutdir={tmp_path}", "-c", "/dev/null"]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log)
    wait_until(lambda: note.exists() and " " in note.read_text(), 120, (tmp_path / "log").read_text)
    pid, folder = note.read_text().split(" ")
    theirs = [psutil.Process(int(pid)), *psutil.Process(process.pid).children(recursive=True)]
    process.send_signal(number)
    process.wait(60)
    wait_until(lambda: not any(one.is_running() for one in theirs), 60, lambda: str(theirs))
    wait_until(lambda: not Path(folder).exists(), 60)
