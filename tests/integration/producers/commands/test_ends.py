"""Commands that end in every way: no process, no socket and no folder of theirs stays."""

from __future__ import annotations

import http.client
import os
import pty
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

import psutil
import pytest
from redis import Redis

from koebin.producers.briefings.schedule.journal import Journal, tick_id
from tests.integration.producers.http.test_jobs import form
from tests.integration.producers.test_private_broker import _lives, _take_terminal
from tests.servers.ports import HOST, free_ports
from tests.servers.reaper import reap_later
from tests.servers.redis import RedisServer
from tests.servers.waiting import wait_until
from tests.servers.worker import ROOT, environment

pytestmark = pytest.mark.xdist_group("ends")

A_FEW_SECONDS = 40.0
"""On a machine that does much else; what stays would stay for an hour."""
WAYS = [
    "SIGTERM",
    pytest.param("SIGINT", marks=pytest.mark.slow),
    pytest.param("SIGHUP", marks=pytest.mark.slow),
    "SIGKILL",
    pytest.param("terminal closed", marks=pytest.mark.slow),
]
BEAT = """
[when]
crontab = "0 7 * * *"
[template]
text = "お知らせです。{{ sleepy }}"
[sources.sleepy]
kind = "command"
argv = ["sh", "-c", "sleep 3600 & sleep 3600"]
timeout = "8s"
say = "{{ text }}"
fallback = "届いていません。"
[output]
store = "STORE"
"""


class Command:
    """A command in a process and a session of its own, with folders of its own for what is temporary."""

    def __init__(self, folder: Path, arguments: list[str], settings: Mapping[str, object], terminal: bool) -> None:
        self.temporary, self.session, self.log = folder / "tmp", folder / "session", folder / "log"
        self.temporary.mkdir()
        self.session.mkdir(mode=0o700)
        ours, theirs = pty.openpty() if terminal else (-1, -1)
        self._terminal = ours
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-P", "-m", "koebin", *arguments],
                cwd=ROOT,
                env={
                    **environment(settings),
                    "TMPDIR": str(self.temporary),
                    "XDG_RUNTIME_DIR": str(self.session),
                    "PYTHONUNBUFFERED": "1",
                },
                stdin=theirs if terminal else subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=_take_terminal if terminal else None,
            )
        reap_later(self.process)
        if terminal:
            os.close(theirs)
        self._theirs: list[psutil.Process] = []

    def wait(self, condition: Callable[[], object]) -> None:
        """Wait for it, and remember who works for the command then."""
        wait_until(lambda: condition() or self.process.poll() is not None, what=self.log.read_text)
        assert self.process.poll() is None, self.log.read_text()
        self._theirs = psutil.Process(self.process.pid).children(recursive=True)

    def named(self, part: str) -> list[psutil.Process]:
        """Processes of its with such an argument."""
        found = []
        for process in psutil.Process(self.process.pid).children(recursive=True):
            with suppress(psutil.Error):
                found += [process] if any(part in argument for argument in process.cmdline()) else []
        return found

    def end(self, way: str) -> None:
        if way == "terminal closed":
            os.close(self._terminal)
            self._terminal = -1
        else:
            self.process.send_signal(signal.Signals[way])

    def expect_nothing_left(self) -> None:
        wait_until(lambda: self.process.poll() is not None and not self.left(), A_FEW_SECONDS, lambda: str(self.left()))

    def left(self) -> list[str]:
        processes = [str(process) for process in self._theirs if _lives(process)]
        return processes + [name for folder in (self.temporary, self.session) for name in _names(folder)]

    def close(self) -> None:
        if self._terminal >= 0:
            os.close(self._terminal)
        for process in [*self._theirs, psutil.Process()][:-1]:
            with suppress(psutil.Error):
                process.kill()
        self.process.kill()
        self.process.wait()


def _names(folder: Path) -> list[str]:
    """Of all that lies in it; what goes meanwhile is passed over."""
    return [name for _, folders, files in os.walk(folder) for name in (*folders, *files)]


@contextmanager
def command(folder: Path, way: str, arguments: list[str], settings: Mapping[str, object]) -> Iterator[Command]:
    started = Command(folder, arguments, settings, way == "terminal closed")
    try:
        yield started
    finally:
        started.close()


@pytest.mark.slow
@pytest.mark.parametrize("way", WAYS)
def test_nothing_stays_of_a_narration_that_ends_while_it_speaks(way: str, tmp_path: Path) -> None:
    book, store = tmp_path / "book.txt", tmp_path / "store"
    book.write_text("\n\n".join(f"{number}番目の文です。" for number in range(2000)), encoding="utf-8")
    with command(tmp_path, way, ["narrate", str(book)], {"store": store.as_uri(), "threads": 1}) as narrate:
        narrate.wait(lambda: len(list(store.glob("segments/*/*"))) > 3)
        assert len(narrate.named("koebin")) >= 3, "keeper, worker, pool process"
        assert narrate.left(), "the private broker's folder"
        narrate.end(way)
        narrate.expect_nothing_left()


@pytest.mark.parametrize("way", WAYS)
def test_nothing_stays_of_a_door_that_ends_during_an_upload(way: str, server: RedisServer, tmp_path: Path) -> None:
    port = free_ports(1)[0]
    settings = {"broker_url": server.url, "store": (tmp_path / "store").as_uri(), "http_port": port, "grace_period": 1}
    with command(tmp_path, way, ["serve"], settings) as serve:
        serve.wait(lambda: "listens on" in serve.log.read_text())
        upload = threading.Thread(target=_upload, args=(port,), daemon=True)
        upload.start()
        serve.wait(lambda: any(name.startswith("koebin-upload-") for name in _names(serve.temporary)))
        serve.end(way)
        serve.expect_nothing_left()
        upload.join()


def _upload(port: int) -> None:
    """Upload a book that takes seconds to read."""
    body, headers = form("book.txt", "これは長い本の一つの文です。\n\n".encode() * 150_000, {"speaker": "mei"})
    connection = http.client.HTTPConnection(HOST, port)
    with suppress(OSError, http.client.HTTPException):
        connection.request("POST", "/v1/jobs", body, headers)
        connection.getresponse()
    connection.close()


@pytest.mark.parametrize("way", WAYS)
def test_nothing_stays_of_a_beat_that_ends_while_a_source_runs(way: str, server: RedisServer, tmp_path: Path) -> None:
    briefings = tmp_path / "briefings"
    briefings.mkdir()
    (briefings / "slow.toml").write_text(BEAT.replace("STORE", (tmp_path / "store").as_uri()), encoding="utf-8")
    redis: Redis = Redis.from_url(server.url, decode_responses=True)
    redis.flushdb()
    Journal(redis).add(tick_id("slow", datetime.now(UTC).replace(microsecond=0)))
    settings = {"broker_url": server.url, "briefings": briefings, "briefing_commands": "true"}
    with command(tmp_path, way, ["beat"], settings) as beat:
        beat.wait(lambda: len(beat.named("3600")) >= 3)  # the leash, the shell and what it started
        beat.end(way)
        beat.expect_nothing_left()
    redis.close()


def test_no_template_is_rendered_for_a_process_that_is_gone(tmp_path: Path) -> None:
    loop = "{% for a in range(99999) %}{% for b in range(99999) %}{{ 1 }}{% endfor %}{% endfor %}"
    rendering = {"template": loop, "sources": {}, "max_characters": 1 << 60}
    call = f"call_isolated({{'call': 'render', 'render': {rendering!r}}}, b'', 3600)"
    script = f"import asyncio; from koebin.producers.briefings.sandbox.calls import call_isolated; asyncio.run({call})"
    process = subprocess.Popen([sys.executable, "-P", "-c", script], cwd=ROOT)
    try:
        wait_until(lambda: psutil.Process(process.pid).children())
        (child,) = psutil.Process(process.pid).children()
        wait_until(lambda: child.cpu_times().user > 1.0)  # it has read what it is to render
        process.kill()
        wait_until(lambda: not _lives(child), A_FEW_SECONDS, "the template is still rendered")
    finally:
        process.kill()
        process.wait()
