"""Answers to those who asked, by what an error is about: one table for the command line and the HTTP door."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from koebin.engine.errors import (
    BackendMissing,
    ConfigurationError,
    InvalidInput,
    JobConflict,
    JobNotFound,
    KoebinError,
    NotSigned,
    SourceError,
    SpeakerError,
    SpeakerNotServed,
    StoreError,
    StoreFull,
    StoreNotFound,
    TransientError,
)
from koebin.producers.exits import FAILED, INVALID, NOT_FOUND, UNAVAILABLE
from koebin.tasks.connection import OUTAGE, outage


@dataclass(frozen=True, slots=True)
class Answer:
    """What a command ends with, and the HTTP status of the door."""

    exit_code: int
    status: int


TABLE: Final[dict[type[KoebinError], Answer]] = {
    KoebinError: Answer(FAILED, 500),
    InvalidInput: Answer(INVALID, 400),
    NotSigned: Answer(INVALID, 500),  # the deployment's fault, not the client's
    ConfigurationError: Answer(INVALID, 500),
    SpeakerError: Answer(NOT_FOUND, 400),
    SpeakerNotServed: Answer(NOT_FOUND, 503),
    BackendMissing: Answer(FAILED, 501),
    SourceError: Answer(UNAVAILABLE, 500),
    StoreError: Answer(UNAVAILABLE, 500),
    StoreNotFound: Answer(UNAVAILABLE, 404),
    StoreFull: Answer(UNAVAILABLE, 507),
    JobNotFound: Answer(NOT_FOUND, 404),
    JobConflict: Answer(FAILED, 409),
    TransientError: Answer(UNAVAILABLE, 503),
}
"""The nearest class of an error decides."""


def answer_of(error: KoebinError) -> Answer:
    """The answer to an error."""
    return next(TABLE[kind] for kind in type(error).__mro__ if kind in TABLE)


def as_koebin(error: BaseException, hint: str) -> KoebinError | None:
    """An error of ours for one of the broker's; None for a defect.

    Args:
        hint: what to do when the broker does not answer.
    """
    if isinstance(error, KoebinError):
        return error
    return outage(error, hint) if isinstance(error, OUTAGE) else None
