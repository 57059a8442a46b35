"""A real worker in processes of its own: a parent, its pool process, their engine."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Final

import psutil
from redis import Redis

from koebin.tasks.broker.fleet import fleet
from tests.servers.reaper import reap_later
from tests.servers.waiting import PATIENCE, wait_until

ROOT: Final = Path(__file__).resolve().parents[2]


class Worker:
    """``koebin worker`` as a user starts it.

    Args:
        broker: URL of the server.
        store: URI of the store.
        speakers: comma-separated.
        assemble: also assembles.
        name: in announcements.
        settings: further ``KOEBIN_*`` variables, without the prefix, in lower case.
        python: the interpreter of the environment to run in.
    """

    def __init__(
        self,
        broker: str,
        store: str,
        speakers: str = "mei",
        *,
        assemble: bool = True,
        name: str = "",
        settings: Mapping[str, object] | None = None,
        python: str | Path = sys.executable,
    ) -> None:
        self.broker = broker
        self.name = name or f"w{time.monotonic_ns()}@test"
        self.folder = Path(tempfile.mkdtemp(prefix="koebin-worker-"))
        self.log = self.folder / "log"
        chosen = {
            "broker_url": broker,
            "store": store,
            "stores": store,
            "run_dir": str(self.folder / "run"),
            "threads": 1,
            **(settings or {}),
        }
        self._env = environment(chosen)
        self._env["TMPDIR"] = str(self.folder)  # one that is killed leaves the pool's sockets there
        self._command = [str(python), "-P", "-m", "koebin", "worker", "--name", self.name]
        self._command += (["--speakers", speakers] if speakers else []) + (["--assemble"] if assemble else [])
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, *, ready: bool = True) -> Worker:
        """Start it, and return when it has announced itself."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command,
                cwd=ROOT,
                env=self._env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        reap_later(self._process, self.folder)
        if ready:
            self.wait_ready()
        return self

    def wait_ready(self) -> None:
        """Raises: RuntimeError with the log if it does not become ready."""
        client: Redis = Redis.from_url(self.broker)
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline and self.process.poll() is None:
            if any(worker.worker == self.name and worker.children for worker in fleet(client).workers):
                client.close()
                return
            time.sleep(0.05)
        raise RuntimeError(f"the worker is not ready:\n{self.text()}")

    @property
    def process(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise RuntimeError("the worker was not started")
        return self._process

    @property
    def pid(self) -> int:
        """Of the parent."""
        return self.process.pid

    def child(self) -> int:
        """Process id of the pool process."""
        children = psutil.Process(self.pid).children()
        if not children:
            raise RuntimeError("the worker has no pool process now")
        return int(children[0].pid)

    def text(self) -> str:
        """Its log so far."""
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def wait_for_log(self, text: str, timeout: float = PATIENCE) -> None:
        """Raises: TimeoutError."""
        wait_until(lambda: text in self.text(), timeout, lambda: f"{text!r} is not in the log:\n{self.text()}")

    def signal(self, number: signal.Signals) -> None:
        """To the parent."""
        os.kill(self.pid, number)

    def signal_child(self, number: signal.Signals) -> None:
        os.kill(self.child(), number)

    def signal_all(self, number: signal.Signals) -> None:
        """To the parent and all its children at once."""
        os.killpg(self.pid, number)

    def wait_until_it_drains(self) -> None:
        """Return when its processes can read that they are to go."""
        wait_until(
            lambda: any((self.folder / "run").glob("*/drain")), what=lambda: f"no order to drain:\n{self.text()}"
        )

    def stop(self, timeout: float = PATIENCE) -> int:
        """SIGTERM; returns the exit code."""
        if self.process.poll() is None:
            self.process.terminate()
        return self.process.wait(timeout)

    def __enter__(self) -> Worker:
        return self.start() if self._process is None else self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.destroy()

    def destroy(self) -> None:
        """Leave nothing running and nothing on disk."""
        if self._process is not None and self._process.poll() is None:
            os.killpg(self.pid, signal.SIGCONT)
            os.killpg(self.pid, signal.SIGKILL)
            self._process.wait()
        import shutil

        shutil.rmtree(self.folder, ignore_errors=True)


def environment(settings: Mapping[str, object]) -> dict[str, str]:
    """This process's variables, with such settings and no others; named as for ``Worker``."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("KOEBIN_")}
    return {**clean, **{f"KOEBIN_{name.upper()}": str(value) for name, value in settings.items()}}
