"""Payers of errors, by whom an error is about: one table for chunks, texts, assemblies and the doors.

| payer | pays by |
|---|---|
| text | the text, or the one segment, is given up with its reason; everything else goes on |
| job | the job ends as failed |
| worker | the work goes back for another worker, and this one proves itself before it takes more |
| world | the work is sent again later; no attempt is counted |

What is in no row was foreseen by nobody. While a segment is rendered it is the segment's own doing, if the process
speaks another sentence right after it; elsewhere it is the worker's.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from koebin.engine.errors import (
    ConfigurationError,
    InferenceFailed,
    InvalidInput,
    JobError,
    JobUnreadable,
    KoebinError,
    ModelError,
    SourceError,
    SpeakerError,
    StoreError,
    StoreFull,
    StoreNotAllowed,
    StoreNotFound,
    TransientError,
)


class Payer(StrEnum):
    """What an error is about."""

    TEXT = "text"
    JOB = "job"
    WORKER = "worker"
    WORLD = "world"


TABLE: Final[dict[type[BaseException], Payer]] = {
    InvalidInput: Payer.TEXT,
    SpeakerError: Payer.TEXT,
    InferenceFailed: Payer.TEXT,
    StoreNotFound: Payer.JOB,
    JobError: Payer.JOB,
    StoreError: Payer.WORKER,
    SourceError: Payer.WORKER,
    ModelError: Payer.WORKER,
    ConfigurationError: Payer.WORKER,
    OSError: Payer.WORKER,
    ImportError: Payer.WORKER,
    MemoryError: Payer.WORKER,
    SystemError: Payer.WORKER,
    StoreFull: Payer.WORLD,
    JobUnreadable: Payer.WORLD,
    TransientError: Payer.WORLD,
    RedisError: Payer.WORLD,
    OperationalError: Payer.WORLD,
}
"""The nearest class of an error decides."""
_OUT_OF_MEMORY: Final = "OutOfMemoryError"
"""CUDA's, by its name: the package that has it may not be there."""
TRIES: Final = 3
"""A refusal may pass: so often is a task tried in all before its error counts, by whichever workers there are."""


class TaskStumbled(KoebinError):
    """A defect of ours, of a package, or of the machine, outside of any one segment."""


def payer(error: BaseException) -> Payer | None:
    """Who pays for an error; None if nobody foresaw it."""
    kinds = type(error).__mro__
    if any(kind.__name__ == _OUT_OF_MEMORY for kind in kinds):
        return Payer.WORKER
    return next((TABLE[kind] for kind in kinds if kind in TABLE), None)


def is_certain(error: BaseException) -> bool:
    """Whether the same worker would always say the same, so that asking it once is enough."""
    return isinstance(error, StoreNotAllowed)


def as_ours(error: BaseException) -> KoebinError:
    """The error as one of ours, for people: class and beginning of what nobody foresaw."""
    if isinstance(error, KoebinError):
        return error
    return TaskStumbled(f"unexpected error ({type(error).__name__}), see the worker's log", str(error)[:200])
