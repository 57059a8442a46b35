"""Output of native libraries on file descriptor 2, as records of the log.

Open JTalk and others print warnings with C's ``fprintf``: among a log of JSON objects these are lines that no program
can read. The parent reads them, for itself and its pool processes, so that also a crash's last words are logged.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, TextIO

log = logging.getLogger(__name__)

_END_SECONDS: Final = 1.0
_LONGEST: Final = 4000
"""Bytes of one line."""


@contextmanager
def native_output_as_records() -> Iterator[TextIO]:
    """Take descriptor 2 over; the stream that it was is yielded, and Python's own stderr writes there.

    Whoever prints never waits: while nobody reads, what does not fit into the pipe is dropped. A library may print
    while it holds the lock that the reader needs.
    """
    stream = os.fdopen(os.dup(2), "w", buffering=1, encoding="utf-8", errors="backslashreplace")
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    os.dup2(writer, 2)
    os.close(writer)
    previous, sys.stderr = sys.stderr, stream
    thread = threading.Thread(target=_read, args=(reader,), name="native output", daemon=True)
    thread.start()
    try:
        yield stream
    finally:
        os.dup2(stream.fileno(), 2)
        sys.stderr = previous
        thread.join(_END_SECONDS)


def _read(reader: int) -> None:
    with os.fdopen(reader, "rb") as lines:
        while line := lines.readline(_LONGEST):
            if text := line.decode(errors="replace").strip():
                log.warning("%s", text)
