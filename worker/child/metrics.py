"""Prometheus counters of a worker, shared by parent and pool process.

Parent and child each write numbers into a memory-mapped file in the worker's folder, the parent serves both. The files
are named for the role and not for the process: a child that takes a dead one's place counts on from where that stood.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final, get_args

from billiard.exceptions import TimeLimitExceeded, WorkerLostError
from celery.signals import task_postrun, task_prerun
from prometheus_client import Counter, Gauge, Histogram, values

from koebin.engine.observer import Stage
from koebin.tasks.broker.celery_config import SENT_HEADER
from koebin.tasks.contracts import ASSEMBLE, RENDER, SYNTHESIZE, SYNTHESIZE_CHUNK
from koebin.tasks.observer import Observer

_SECONDS: Final = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100, 300)
_WAITS: Final = (0.1, 0.3, 1, 3, 10, 30, 100, 300, 1000, 3600, 4 * 3600, 24 * 3600)
_FILLS: Final = (0.02, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 1.0)


class Metrics(Observer):
    """Counters of parent and pool process. Labels are names of served speakers, tasks and classes alone.

    Args:
        folder: of the numbers; it exists, and this process is the parent.
        speakers: that this worker serves.
    """

    def __init__(self, folder: Path, speakers: Iterable[str]) -> None:
        parent = os.getpid()
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(folder)  # the package reads it from the environment only
        values.ValueClass = values.MultiProcessValue(  # type: ignore[no-untyped-call]
            lambda: "parent" if os.getpid() == parent else "child"
        )
        self.folder = folder
        self._started: dict[str, float] = {}
        self._waits = Histogram(
            "koebin_queue_wait_seconds",
            "From the sending of a message to the first start of its task, by the clocks of sender and worker.",
            ["task"],
            buckets=_WAITS,
            registry=None,
        )
        self._tasks = Histogram("koebin_task_seconds", "How long tasks ran.", ["task"], buckets=_SECONDS, registry=None)
        self._stages = Histogram(
            "koebin_stage_seconds",
            "Duration of the steps from a text to a stored segment, per utterance or batch; threads overlap.",
            ["stage"],
            buckets=_SECONDS,
            registry=None,
        )
        self._fills = Histogram(
            "koebin_batch_fill_ratio",
            "Size of batches: utterances in a padded batch, texts in a micro-batch.",
            ["kind"],
            buckets=_FILLS,
            registry=None,
        )
        self._audio = Counter("koebin_audio_seconds", "Seconds of audio rendered.", ["speaker"], registry=None)
        self._wall = Counter(
            "koebin_synthesis_seconds", "Wall seconds in which it was rendered.", ["speaker"], registry=None
        )
        self._segments = Counter(
            "koebin_segments", "Segments by outcome: rendered, reused, dead.", ["speaker", "outcome"], registry=None
        )
        self._errors = Counter("koebin_errors", "Errors by class, retried or not.", ["error"], registry=None)
        self._retries = Counter("koebin_retries", "Tasks delayed for a retry.", ["task"], registry=None)
        self._gpu = Gauge(
            "koebin_gpu_memory_bytes",
            "GPU memory: allocated and reserved by this worker, total of the device.",
            ["kind"],
            multiprocess_mode="mostrecent",
            registry=None,
        )
        self._begin_at_zero(speakers)

    def _begin_at_zero(self, speakers: Iterable[str]) -> None:
        """Show every counter from 0: a rate over a counter that has just appeared misses its first step."""
        for task in (SYNTHESIZE, RENDER, SYNTHESIZE_CHUNK, ASSEMBLE):
            self._waits.labels(task)
            self._tasks.labels(task)
            self._retries.labels(task)
        for stage in get_args(Stage):
            self._stages.labels(stage)
        for kind in ("texts", "utterances"):
            self._fills.labels(kind)
        for error in (WorkerLostError, TimeLimitExceeded):
            self._errors.labels(error.__name__)
        for speaker in speakers:
            self._audio.labels(speaker)
            self._wall.labels(speaker)
            self.segments(speaker)

    def stage(self, stage: Stage, seconds: float) -> None:
        self._stages.labels(stage).observe(seconds)

    def batch(self, kind: str, size: int, most: int) -> None:
        self._fills.labels(kind).observe(size / most)

    def segments(self, speaker: str, *, rendered: int = 0, reused: int = 0, dead: int = 0) -> None:
        for outcome, count in (("rendered", rendered), ("reused", reused), ("dead", dead)):
            self._segments.labels(speaker, outcome).inc(count)

    def spoken(self, speaker: str, audio_seconds: float, wall_seconds: float) -> None:
        if audio_seconds > 0:
            self._audio.labels(speaker).inc(audio_seconds)
            self._wall.labels(speaker).inc(wall_seconds)

    def error(self, error: BaseException) -> None:
        self._errors.labels(type(error).__name__).inc()

    def retry(self, task: str) -> None:
        self._retries.labels(task).inc()

    def watch_tasks(self, gpu_memory: Callable[[], dict[str, int]] | None = None) -> None:
        """Time this process's tasks, and read the device's memory after each. Called in a pool process.

        Args:
            gpu_memory: bytes by kind; None without a GPU.
        """

        def before(task_id: str, task: Any, **_: Any) -> None:
            self._started[task_id] = time.monotonic()
            sent = task.request.get(SENT_HEADER)
            again = (task.request.delivery_info or {}).get("redelivered")  # it was preempted, or its worker was lost
            if isinstance(sent, (int, float)) and not again:
                self._waits.labels(task.name).observe(max(0.0, time.time() - sent))

        def after(task_id: str, task: Any, **_: Any) -> None:
            started = self._started.pop(task_id, None)
            if started is not None:
                self._tasks.labels(task.name).observe(time.monotonic() - started)
            show_memory()

        def show_memory() -> None:
            for kind, size in (gpu_memory() if gpu_memory else {}).items():
                self._gpu.labels(kind).set(size)

        show_memory()
        task_prerun.connect(before, weak=False)
        task_postrun.connect(after, weak=False)
