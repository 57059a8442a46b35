"""Runtime of a worker process: engine, connections and settings that its tasks use, set once at start."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from redis import Redis

from koebin.engine.errors import EngineNotReady
from koebin.tasks.broker.delayed_messages import Send
from koebin.tasks.broker.leases import Leases
from koebin.tasks.jobs.ledger import Ledger
from koebin.tasks.observer import Observer
from koebin.tasks.running.pausing import Paused
from koebin.tasks.running.process_doubts import Doubts
from koebin.tasks.stores.base import Store

if TYPE_CHECKING:
    from koebin.engine.speaker import Speaker


@dataclass(frozen=True, slots=True)
class Runtime:
    """Engine and connections of this process.

    Attributes:
        speakers: of this process; empty if it only assembles.
        open_store: opens a store whose URI lies under an allowed root, else raises StoreDenied.
        send: sends a message of ours.
        drain_deadline: time at which running work is given back, on the monotonic clock; None without a shutdown.
        work_dir: scratch space for assembling.
        more_urgent: whether this process should make way for something of a higher priority than the given one.
        observer: is told of what the tasks do.
        worker: the name under which this worker is announced.
        doubts: is told of errors that may be this process's own.
        paused: assemblies that made way for something more urgent.
    """

    redis: Redis
    ledger: Ledger
    leases: Leases
    speakers: Mapping[str, Speaker]
    engine_revision: str
    open_store: Callable[[str], Store]
    send: Send
    drain_deadline: Callable[[], float | None]
    work_dir: Path
    more_urgent: Callable[[int], bool] = lambda _: False
    observer: Observer = field(default_factory=Observer)
    worker: str = ""
    doubts: Doubts = field(default_factory=lambda: Doubts(lambda _: None))
    paused: Paused = field(default_factory=Paused)


_current: list[Runtime] = []


def install(runtime: Runtime) -> None:
    """Set the process's runtime."""
    _current[:] = [runtime]


def current() -> Runtime:
    """The process's runtime. Raises: EngineNotReady: before ``install``."""
    if not _current:
        raise EngineNotReady("this process has no engine", "", "Run tasks in a worker started with: koebin worker")
    return _current[0]
