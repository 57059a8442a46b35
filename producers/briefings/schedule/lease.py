"""Holding a lease while something is done: renewed in the background, and gone within seconds if the process is."""

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
    """Own ``subject`` inside the block; gives the owner's nonce, "" if somebody else owns it.

    Args:
        seconds: how long the lease outlives this process.
        rest: how long nobody else may have it after the block, in seconds.
        limit: seconds after which a block that hangs loses the lease.
    """
    owner = journal.claim(subject, seconds)
    if not owner:
        yield ""
        return
    done = threading.Event()
    arguments = (journal, subject, owner, seconds, limit, done)
    keeper = threading.Thread(target=_keep, args=arguments, name=f"lease {subject}", daemon=True)
    keeper.start()
    try:
        yield owner
    finally:
        done.set()
        keeper.join()
        with contextlib.suppress(RedisError):  # then it simply expires
            journal.renew(subject, owner, rest)


def _keep(journal: Journal, subject: str, owner: str, seconds: float, limit: float, done: threading.Event) -> None:
    begin = time.monotonic()
    while not done.wait(seconds / 3):
        if time.monotonic() - begin > limit:
            log.error("%s makes no progress for %g seconds and is left to another process", subject, limit)
            return
        try:
            if not journal.renew(subject, owner, seconds):
                log.warning("%s was taken over by another process", subject)
                return
        except RedisError as error:
            log.warning("the lease of %s cannot be renewed (%s)", subject, type(error).__name__)
