"""What an engine tells of its steps while it works. Nobody listens until ``listen`` is called, and telling nobody costs
nothing that could be measured."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Literal

Stage = Literal["front_end", "bert", "encoder", "flow", "decoder", "encode", "store"]
"""The steps from a text to a stored segment, in their order; ``encoder`` is the text encoder with the durations."""


class Observer:
    """Is told of every step, from any thread; this one forgets it."""

    def stage(self, stage: Stage, seconds: float) -> None:
        """A step of one utterance, or of one batch, took so long."""

    def batch(self, kind: str, size: int, most: int) -> None:
        """``size`` things went together where ``most`` were allowed to."""


_listening: list[Observer] = []


def listen(observer: Observer) -> None:
    """Tell ``observer``, and nobody else, of what the engines of this process do."""
    _listening[:] = [observer]


@contextmanager
def stage(name: Stage, settle: Callable[[], object] | None = None) -> Iterator[None]:
    """Time a step; one that fails is not told.

    Args:
        name: of the step.
        settle: waits until a device has done what it was given; called only if somebody listens.
    """
    if not _listening:
        yield
        return
    started = time.perf_counter()
    yield
    if settle is not None:
        settle()
    _listening[0].stage(name, time.perf_counter() - started)


def batched(kind: str, size: int, most: int) -> None:
    """``size`` things go together where ``most`` may."""
    if _listening:
        _listening[0].batch(kind, size, most)
