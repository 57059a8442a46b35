"""Free TCP ports on the loopback, and waiting until something listens on one."""

from __future__ import annotations

import contextlib
import socket
import time
from subprocess import Popen

from tests.servers.waiting import PATIENCE

HOST = "127.0.0.1"


def free_ports(count: int, below: int = 65536) -> list[int]:
    """Return ``count`` different ports that nothing listened on a moment ago, all under ``below``."""
    ports: list[int] = []
    with contextlib.ExitStack() as held:
        while len(ports) < count:
            bound = held.enter_context(socket.socket())
            bound.bind((HOST, 0))
            port = bound.getsockname()[1]
            if port < below:
                ports.append(port)
    return ports


def wait_for_port(port: int, process: Popen[bytes], timeout: float = PATIENCE) -> None:
    """Return when ``port`` accepts a connection; TimeoutError, or RuntimeError when ``process`` has ended."""
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"{process.args!r} ended with {process.returncode}")
        with contextlib.suppress(OSError), socket.create_connection((HOST, port), timeout=5):
            return
        time.sleep(0.02)
    raise TimeoutError(f"nothing listens on port {port} after {timeout} s")
