"""Observer interface for the engine's steps.

There is no observer until ``listen`` is called; reporting to none costs nothing measurable.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Literal

Stage = Literal["front_end", "bert", "encoder", "flow", "decoder", "encode", "store"]
"""The steps from a text to a stored segment, in their order; ``encoder`` is the text encoder with the durations."""


class Observer:
    """Observer that ignores every step; called from any thread."""

    def stage(self, stage: Stage, seconds: float) -> None:
        """Report the duration of a step, of one utterance or one batch."""

    def batch(self, kind: str, size: int, most: int) -> None:
        """Report a batch: ``size`` items of at most ``most``."""


_listening: list[Observer] = []


def listen(observer: Observer) -> None:
    """Set the observer of all engines of this process."""
    _listening[:] = [observer]


@contextmanager
def stage(name: Stage, wait: Callable[[], object] | None = None) -> Iterator[None]:
    """Time a step; a failed one is not reported.

    Args:
        name: of the step.
        wait: waits until a device has finished its work; called only if there is an observer.
    """
    if not _listening:
        yield
        return
    started = time.perf_counter()
    yield
    if wait is not None:
        wait()
    _listening[0].stage(name, time.perf_counter() - started)


def batched(kind: str, size: int, most: int) -> None:
    """Report a batch: ``size`` items of at most ``most``."""
    if _listening:
        _listening[0].batch(kind, size, most)
