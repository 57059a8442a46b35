"""``koebin serve`` in a process of its own."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from tests.servers.ports import HOST, free_ports
from tests.servers.reaper import reap_later
from tests.servers.waiting import PATIENCE
from tests.servers.worker import ROOT, environment


class Door:
    """The HTTP door as a user starts it.

    Args:
        broker: URL of the server.
        store: URI of the store.
        settings: further ``KOEBIN_*`` variables, without the prefix, in lower case.
    """

    def __init__(self, broker: str, store: str, settings: Mapping[str, object] | None = None) -> None:
        self.port = free_ports(1)[0]
        self.folder = Path(tempfile.mkdtemp(prefix="koebin-door-"))
        self.log = self.folder / "log"
        self._env = environment({"broker_url": broker, "store": store, "http_port": self.port, **(settings or {})})
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def text(self) -> str:
        """Its log so far."""
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def __enter__(self) -> Door:
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "koebin", "serve"],
                cwd=ROOT,
                env=self._env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        reap_later(self._process, self.folder)
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                if self.ask("GET", "/health/ready").status == 200:
                    return self
            except OSError:
                time.sleep(0.05)
        self._process.kill()
        self._process.wait()
        raise RuntimeError(f"the door is not ready:\n{self.text()}")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        import shutil

        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def ask(
        self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None, key: str = ""
    ) -> Answer:
        """One request; a body that is no bytes goes as JSON."""
        connection = http.client.HTTPConnection(HOST, self.port, timeout=PATIENCE)
        sent = dict(headers or {})
        if key:
            sent["Authorization"] = f"Bearer {key}"
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
            sent.setdefault("Content-Type", "application/json")
        try:
            connection.request(method, path, body, sent)
            found = connection.getresponse()
            return Answer(found.status, dict(found.headers.items()), found.read())
        finally:
            connection.close()


class Answer:
    """What came back; names of headers in lower case."""

    def __init__(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        self.status = status
        self.headers = {name.lower(): value for name, value in headers.items()}
        self.body = body

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    def __repr__(self) -> str:
        return f"Answer({self.status}, {self.body[:300]!r})"
