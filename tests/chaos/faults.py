"""Faults, each as a function that applies it to a running arena and, if it lasts, undoes it."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from redis import Redis
from redis.exceptions import RedisError

from tests.chaos.proxy import Trouble

if TYPE_CHECKING:
    from tests.chaos.arena import Arena
    from tests.servers.worker import Worker

StoreKind = Literal["file", "s3", "small"]


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault.

    Attributes:
        store: the store that a run with it needs; "" takes any.
        start: does it to the arena; ``victim`` is the worker at the step.
        end: undoes it; None where nothing is to be undone (the supervisor starts what died).
        outage: it lasts as long as the plan says; a frozen worker lasts twice the visibility timeout.
    """

    name: str
    start: Callable[[Arena, Worker], None]
    end: Callable[[Arena, Worker], None] | None = None
    store: StoreKind | Literal[""] = ""
    outage: bool = False


def _kill_child(_: Arena, victim: Worker) -> None:
    with contextlib.suppress(RuntimeError, ProcessLookupError):  # it may have none at this moment
        victim.signal_child(signal.SIGKILL)


def _kill_parent(_: Arena, victim: Worker) -> None:
    victim.signal(signal.SIGKILL)


def _kill_group(_: Arena, victim: Worker) -> None:
    victim.signal_all(signal.SIGKILL)


def _terminate(_: Arena, victim: Worker) -> None:
    victim.signal(signal.SIGTERM)


def _freeze(_: Arena, victim: Worker) -> None:
    victim.signal_all(signal.SIGSTOP)


def _freeze_parent(_: Arena, victim: Worker) -> None:
    victim.signal(signal.SIGSTOP)


def _thaw(_: Arena, victim: Worker) -> None:
    with contextlib.suppress(ProcessLookupError):
        victim.signal_all(signal.SIGCONT)


def _drop_connections(arena: Arena, _: Worker) -> None:
    with contextlib.suppress(RedisError):
        arena.redis.client_kill_filter(_type="normal", skipme=True)
        arena.redis.client_kill_filter(_type="pubsub", skipme=True)


def _kill_redis(arena: Arena, _: Worker) -> None:
    arena.server.kill()


def _start_redis(arena: Arena, _: Worker) -> None:
    arena.server.start()
    _wait_for_data(arena.redis)


def _start_redis_empty(arena: Arena, _: Worker) -> None:
    shutil.rmtree(arena.server.folder / "appendonlydir", ignore_errors=True)
    arena.server.start()
    _wait_for_data(arena.redis)


def _wait_for_data(redis: Redis) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        with contextlib.suppress(RedisError):
            redis.ping()
            return
        time.sleep(0.05)


def _freeze_redis(arena: Arena, _: Worker) -> None:
    arena.server.freeze()


def _thaw_redis(arena: Arena, _: Worker) -> None:
    arena.server.thaw()


def _client_pause(arena: Arena, _: Worker) -> None:
    arena.redis.client_pause(int(arena.outage_seconds * 1000), all=True)


def _trouble(trouble: Trouble) -> Callable[[Arena, Worker], None]:
    def start(arena: Arena, _: Worker) -> None:
        arena.proxy.trouble = trouble

    return start


def _no_trouble(arena: Arena, _: Worker) -> None:
    arena.proxy.trouble = Trouble.NONE


def _fill_disk(arena: Arena, _: Worker) -> None:
    filler = arena.small / "filler"
    with contextlib.suppress(OSError), filler.open("wb") as file:
        while True:
            file.write(b"\0" * 65536)
            file.flush()


def _free_disk(arena: Arena, _: Worker) -> None:
    (arena.small / "filler").unlink(missing_ok=True)


FAULTS: Final = (
    Fault("SIGKILL child", _kill_child),
    Fault("SIGKILL parent", _kill_parent),
    Fault("SIGKILL group", _kill_group),
    Fault("SIGSTOP, SIGCONT", _freeze, _thaw),
    Fault("SIGSTOP parent, SIGCONT", _freeze_parent, _thaw),
    Fault("SIGTERM", _terminate),
    Fault("connections dropped", _drop_connections),
    Fault("Redis killed, data kept", _kill_redis, _start_redis, outage=True),
    Fault("Redis killed, data lost", _kill_redis, _start_redis_empty, outage=True),
    Fault("Redis frozen", _freeze_redis, _thaw_redis, outage=True),
    Fault("Redis CLIENT PAUSE", _client_pause, outage=True),
    Fault("store cut", _trouble(Trouble.CUT), _no_trouble, "s3", outage=True),
    Fault("store 500", _trouble(Trouble.ERROR_500), _no_trouble, "s3", outage=True),
    Fault("store 503", _trouble(Trouble.ERROR_503), _no_trouble, "s3", outage=True),
    Fault("store slow", _trouble(Trouble.SLOW), _no_trouble, "s3", outage=True),
    Fault("store half-written", _trouble(Trouble.HALF), _no_trouble, "s3", outage=True),
    Fault("disk full", _fill_disk, _free_disk, "small", outage=True),
)


@contextlib.contextmanager
def small_disk(parent: Path) -> Iterator[Path | None]:
    """A file system of a few MiB; None where this user may not mount one."""
    import subprocess

    folder = parent / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=48m", "koebin-chaos", str(folder)]
    allowed = os.geteuid() == 0 and subprocess.run(mount, check=False, capture_output=True).returncode == 0
    try:
        yield folder if allowed else None
    finally:
        if allowed:
            subprocess.run(["umount", "-l", str(folder)], check=False)
