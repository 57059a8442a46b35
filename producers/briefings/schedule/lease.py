"""Lease held during a block of code: renewed in the background, and free within seconds if the process dies."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Iterator

from redis import RedisError

from koebin.producers.briefings.schedule.journal import Journal

log = logging.getLogger(__name__)


@contextlib.contextmanager
def holding(journal: Journal, subject: str, seconds: float, *, rest: float, limit: float) -> Iterator[str]:
    """Own ``subject`` inside the block; yields the owner's nonce, "" if somebody else owns it.

    Args:
        seconds: how long the lease outlives this process.
        rest: seconds after the block during which nobody else may acquire it.
        limit: seconds after which a hanging block loses the lease.
    """
    owner = journal.claim(subject, seconds)
    if not owner:
        yield ""
        return
    done = threading.Event()
    arguments = (journal, subject, owner, seconds, limit, done)
    renewal = threading.Thread(target=_keep, args=arguments, name=f"lease {subject}", daemon=True)
    renewal.start()
    try:
        yield owner
    finally:
        done.set()
        renewal.join()
        with contextlib.suppress(RedisError):  # the lease expires then
            journal.renew(subject, owner, rest)


def _keep(journal: Journal, subject: str, owner: str, seconds: float, limit: float, done: threading.Event) -> None:
    begin = time.monotonic()
    while not done.wait(seconds / 3):
        if time.monotonic() - begin > limit:
            log.error(
                "%s has made no progress for %g seconds; its lease is released for another process", subject, limit
            )
            return
        try:
            if not journal.renew(subject, owner, seconds):
                log.warning("%s was taken over by another process", subject)
                return
        except RedisError as error:
            log.warning("the lease of %s could not be renewed (%s)", subject, type(error).__name__)
