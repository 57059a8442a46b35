"""Prometheus exposition: the parent's ``/metrics``, with counters and the state at the time of the request."""

from __future__ import annotations

import time
from collections.abc import Iterator
from importlib.metadata import version

from celery.signals import worker_process_init
from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector

from koebin.engine.errors import InvalidSettings
from koebin.engine.revision import engine_revision
from koebin.tasks.contracts import VERSION
from koebin.worker.celery_ext.held_leases import HeldLeases
from koebin.worker.child.memory import memory_limit, resident
from koebin.worker.child.metrics import Metrics
from koebin.worker.parent.supervisor import LoopState


class Present:
    """State of one worker's parent, read at each request."""

    def __init__(self, held_leases: HeldLeases, loop: LoopState) -> None:
        self._held_leases = held_leases
        self._loop = loop
        # A thread answers. Were it the first to ask, it would import the front end, and a pool process that is forked
        # meanwhile would wait for ever for the lock of that import.
        self._revision = engine_revision()

    def collect(self) -> Iterator[Metric]:
        yield InfoMetricFamily(
            "koebin_worker",
            "Version and role of this worker.",
            {"version": version("koebin"), "contract": str(VERSION), "engine_revision": self._revision},
        )
        now = time.monotonic()
        held = self._held_leases.held()
        yield _gauge("koebin_worker_ready", "1 while the queues are consumed.", float(bool(self._loop.consuming)))
        in_doubt = "1 while nothing is taken because the worker has to prove itself."
        yield _gauge("koebin_worker_in_doubt", in_doubt, float(bool(self._loop.doubt)))
        yield _gauge(
            "koebin_worker_loop_age_seconds", "Seconds since Celery's loop last ran.", max(0.0, now - self._loop.ticked)
        )
        yield _gauge("koebin_leases", "Tasks whose leases this worker holds.", len(held))
        oldest = max((now - hold.since for hold in held), default=0.0)
        yield _gauge("koebin_lease_age_seconds", "Seconds since the oldest held lease was acquired.", oldest)
        silent = min(oldest, now - self._held_leases.renewed)
        yield _gauge("koebin_lease_renewal_age_seconds", "Seconds since the leases were last renewed.", silent)
        yield from self._memory()
        yield self._speeds()

    def _memory(self) -> Iterator[Metric]:
        pids = {"parent": "self", "child": str(self._loop.child or "none")}
        sizes = {process: size for process, pid in pids.items() if (size := resident(pid))}
        yield _gauges("koebin_resident_memory_bytes", "Memory of parent and child.", "process", sizes)
        limit = memory_limit()
        if limit:
            yield _gauge("koebin_memory_limit_bytes", "Memory limit of this worker's container.", limit)

    def _speeds(self) -> Metric:
        announced = self._loop.announcement
        speeds = {speaker.name: speaker.speed_factor for speaker in announced.speakers} if announced else {}
        meaning = "Audio seconds per second, measured at the start."
        return _gauges("koebin_worker_speed_factor", meaning, "speaker", speeds)


def serve(metrics: Metrics, present: Present, host: str, port: int) -> None:
    """Serve ``/metrics`` from a thread until the process ends.

    Raises:
        InvalidSettings: the port is in use.
    """
    registry = CollectorRegistry()
    MultiProcessCollector(registry, str(metrics.folder))  # type: ignore[no-untyped-call]
    registry.register(present)
    try:
        server, _ = start_http_server(port, host, registry)
    except OSError as error:
        raise InvalidSettings(
            "metrics cannot be served on this address and port", f"{host}:{port}", str(error)
        ) from error

    def let_go(**_: object) -> None:
        """Close the port in a pool process: it belongs to the parent, and a process that outlives it must not keep
        it."""
        server.socket.close()

    worker_process_init.connect(let_go, weak=False)


def _gauge(name: str, meaning: str, value: float) -> Metric:
    return GaugeMetricFamily(name, meaning, value)


def _gauges(name: str, meaning: str, label: str, found: dict[str, float] | dict[str, int]) -> Metric:
    family = GaugeMetricFamily(name, meaning, labels=[label])
    for value, number in found.items():
        family.add_metric([value], number)
    return family
