"""Errors of the HTTP door, and the status that each error of Koebin is answered with."""

from __future__ import annotations

from typing import Final

from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from koebin.engine.errors import (
    BackendMissing,
    BrokerUnavailable,
    InvalidInput,
    JobConflict,
    JobNotFound,
    KoebinError,
    NotSigned,
    SpeakerNotServed,
    StoreFull,
    StoreNotFound,
    TransientError,
    UnknownSpeaker,
    UnknownStyle,
)


class HttpError(KoebinError):
    """An error that only the HTTP door has; ``seconds`` after which to come again, 0.0 for never."""

    status: int = 400

    def __init__(self, what: str, value: str = "", hint: str = "", *, seconds: float = 0.0) -> None:
        super().__init__(what, value, hint)
        self.seconds = seconds


class Unauthorized(HttpError):
    """No key, or one that is not known."""

    status = 401


class Forbidden(HttpError):
    """A request that this door does not answer, whoever sends it."""

    status = 403


class NotFound(HttpError):
    """Nothing is there, or nothing that this key may see."""

    status = 404


class BadRequest(HttpError):
    """A request that cannot be understood."""

    status = 400


class UnprocessableRequest(HttpError):
    """A request of another shape than is asked for."""

    status = 422


class TooLarge(HttpError):
    """A body that is larger than the key may send."""

    status = 413


class TooSlow(HttpError):
    """A body that did not arrive in time."""

    status = 408


class TooMany(HttpError):
    """More than the key may ask for now."""

    status = 429


class TookTooLong(HttpError):
    """No worker has answered in time."""

    status = 504


_STATUS: Final[tuple[tuple[type[KoebinError], int], ...]] = (
    (JobNotFound, 404),
    (StoreNotFound, 404),
    (JobConflict, 409),
    (NotSigned, 500),  # the deployment's fault, not the client's
    (InvalidInput, 400),
    (SpeakerNotServed, 503),
    (UnknownSpeaker, 400),
    (UnknownStyle, 400),
    (BackendMissing, 501),
    (StoreFull, 507),
    (TransientError, 503),
)
RETRY_SECONDS: Final = 5.0
"""After which a client may try again where nobody knows better."""


def status_of(error: KoebinError) -> int:
    """The HTTP status for an error."""
    if isinstance(error, HttpError):
        return error.status
    return next((status for kind, status in _STATUS if isinstance(error, kind)), 500)


def retry_after(error: KoebinError) -> float:
    """Seconds after which to come again, 0.0 where that would not help."""
    if isinstance(error, HttpError):
        return error.seconds
    return RETRY_SECONDS if status_of(error) == 503 else 0.0


def as_koebin(error: Exception) -> KoebinError | None:
    """An error of ours for one of the broker's; None for a defect."""
    if isinstance(error, KoebinError):
        return error
    if isinstance(error, (RedisError, OperationalError)):
        return BrokerUnavailable(f"the broker does not answer ({type(error).__name__})", "", "Try again in a moment")
    return None
