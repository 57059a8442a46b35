"""Retries of S3 requests: how often each kind of error is tried again, and how long is waited."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import Any, Final, TypeVar

from botocore.exceptions import BotoCoreError, ClientError

from koebin.engine.s3.errors import Kind, meaning

T = TypeVar("T")


TRIES: Final = {Kind.MISSING: 2, Kind.DENIED: 2}
"""How often a request is made in all before its error is final; the others once. botocore's own tries come before."""


BODY_TRIES: Final = {Kind.CUT: 3, Kind.SUM: 3}
"""The same for an answer whose body fails while it is read."""


def retried(step: Callable[[], T], *, missing: bool = True, pause: Callable[[float], None] = time.sleep) -> T:
    """The answer of a request, made again as often as the table says.

    Args:
        missing: whether a missing object is asked for again; not by who wants to know whether it is there.
    """
    attempt = 0
    while True:
        attempt += 1
        try:
            return step()
        except (ClientError, BotoCoreError) as error:
            kind, _ = meaning(error)
            if attempt >= TRIES.get(kind, 1) or (kind is Kind.MISSING and not missing):
                raise
            pause(0.1 if kind is Kind.MISSING else backoff(attempt, 1.0 if kind is Kind.DENIED else 0.1))


def read_again(ask: Callable[[], Any], take: Callable[[Any], T], *, missing: bool = True) -> T:
    """What ``take`` makes of an object's body; from its beginning again if the body fails while it is read.

    Args:
        ask: makes the request and gives the body.
        missing: as for ``retried``.
    """
    attempt = 0
    while True:
        attempt += 1
        body = retried(ask, missing=missing)
        try:
            return take(body)
        except (ClientError, BotoCoreError) as error:
            kind, _ = meaning(error)
            if attempt >= BODY_TRIES.get(kind, 1):
                raise
            time.sleep(backoff(attempt))


def backoff(attempt: int, first_seconds: float = 0.1) -> float:
    """Seconds to wait before try ``attempt + 1``: exponential, at most 5, with jitter."""
    longest = min(5.0, first_seconds * 2 ** max(0, attempt - 1))
    return random.uniform(0.5 * longest, longest)
