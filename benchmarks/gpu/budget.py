"""Time budget of the check: each part has its own, all have one together, and what does not fit says so."""

from __future__ import annotations

import faulthandler
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import Any, Final

from benchmarks.gpu.material import Material
from benchmarks.gpu.report import Report

_GRACE_SECONDS: Final = 30.0
"""Beyond the budget, until a call that does not come back ends the process."""


class OutOfTime(BaseException):
    """The part's time is up; no ``except Exception`` of a library holds it."""


class NotRun(Exception):
    """The part has nothing to measure here."""


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the check.

    Attributes:
        seconds: most that it takes.
        run: gives figures with their names, one by one.
    """

    name: str
    seconds: float
    run: Callable[[Material], Iterator[tuple[str, Any]]]


def run_parts(parts: Sequence[Part], material: Material, report: Report, seconds: float) -> None:
    """Run the parts in order; one that fails costs the others nothing but its time."""
    ends = time.monotonic() + seconds
    faulthandler.dump_traceback_later(seconds + _GRACE_SECONDS, exit=True)
    for part in parts:
        left = ends - time.monotonic()
        began = time.monotonic()
        report.add(part.name, "state", _run(part, material, report, min(part.seconds, left)))
        report.add(part.name, "seconds", round(time.monotonic() - began, 1))
    faulthandler.cancel_dump_traceback_later()


def _run(part: Part, material: Material, report: Report, seconds: float) -> str:
    if seconds <= 0:
        return "not run: time"
    try:
        with _time_limit(seconds):
            for name, value in part.run(material):
                report.add(part.name, name, value)
    except OutOfTime:
        return "not run to its end: time"
    except NotRun as reason:
        return f"not run: {reason}"
    except Exception as error:  # noqa: BLE001 - the other parts are to be measured all the same
        report.log(traceback.format_exc())
        return f"failed: {type(error).__name__}: {str(error)[:300]}"
    return "done"


@contextmanager
def _time_limit(seconds: float) -> Iterator[None]:
    def stop(_signal: int, _frame: FrameType | None) -> None:
        raise OutOfTime

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        sys.stdout.flush()
