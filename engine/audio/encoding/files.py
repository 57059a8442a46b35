"""Atomic file writes: a reader sees the whole file or none."""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from koebin.engine.errors import KoebinError, StoreDenied, StoreError, StoreFull, StoreNotFound

_DENIED = (errno.EACCES, errno.EPERM, errno.EROFS)
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside ``path``; the file there is flushed to disk and renamed at the end.

    After an exception nothing is left behind, and what ``path`` held before is still there.

    Raises:
        StoreDenied, StoreFull, StoreNotFound, StoreError: the file cannot be written.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(6)}.part")
    try:
        with translated(path):
            # Created first, so that a read-only folder is detected before anything is encoded.
            os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
        yield temporary
        with translated(path):
            _flush(temporary)
            temporary.replace(path)
            _flush(path.parent)
    finally:
        with suppress(OSError):
            temporary.unlink()


@contextmanager
def rewritten(path: Path) -> Iterator[tuple[BinaryIO, BinaryIO]]:
    """Yield the content of ``path`` and a stream for its new content."""
    other = path.with_name(f"{path.name}.rewritten")
    try:
        with translated(path), path.open("rb") as source, other.open("xb") as target:
            yield source, target
        other.replace(path)
    finally:
        with suppress(FileNotFoundError):
            other.unlink()


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Error of the error tree for an ``OSError`` of a file."""
    try:
        yield
    except OSError as error:
        raise _store_error(error, path) from error


def _store_error(error: OSError, path: Path) -> KoebinError:
    if error.errno == errno.ENOENT:
        return StoreNotFound("the folder does not exist", str(path.parent), "Create it first")
    if error.errno in _DENIED:
        return StoreDenied(
            "no permission to write the file", str(path), "Choose another folder or change its permissions"
        )
    if error.errno in _FULL:
        return StoreFull("no space is left for the file", str(path.parent), "Free some space")
    return StoreError(f"the file cannot be written ({error.strerror})", str(path))


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
