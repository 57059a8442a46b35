"""Errors that only the HTTP door has, and the status of every other: that of ``koebin.producers.error_answers``."""

from __future__ import annotations

from typing import Final

from koebin.engine.errors import KoebinError
from koebin.producers.error_answers import answer_of


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


RETRY_SECONDS: Final = 5.0
"""After which a client may try again where nobody knows better."""
LATER: Final = "Try again in a moment"
"""What a client can do when the broker does not answer."""


def status_of(error: KoebinError) -> int:
    """The HTTP status for an error."""
    if isinstance(error, HttpError):
        return error.status
    return answer_of(error).status


def retry_after(error: KoebinError) -> float:
    """Seconds after which to come again, 0.0 where that would not help."""
    if isinstance(error, HttpError):
        return error.seconds
    return RETRY_SECONDS if status_of(error) == 503 else 0.0
