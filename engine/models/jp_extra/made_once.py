"""Folders that are made once per machine of a content, and kept in the cache: complete or absent, never partial."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from koebin.engine.errors import BackendMissing


def kept(cache: Path, shelf_name: str, digest: str, last: str, make: Callable[[Path], None]) -> Path:
    """Folder of a digest, built beside its place and renamed. Any number of processes may share the cache.

    Args:
        cache: root of the cache.
        shelf_name: folder of the cache in which folders of one kind lie.
        digest: of all that the folder is made of.
        last: a file that a complete folder has.
        make: writes the files into a new folder.

    Raises:
        BackendMissing: the cache cannot be written.
    """
    shelf = cache / shelf_name
    target = shelf / digest[:32]
    if (target / last).is_file():
        return target
    try:
        shelf.mkdir(parents=True, exist_ok=True)
        with _locked(shelf / f".{target.name}.lock"):
            if not (target / last).is_file():
                staging = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=shelf))
                try:
                    make(staging)
                    staging.chmod(0o755)
                    _sync(staging)
                    staging.replace(target)
                finally:
                    shutil.rmtree(staging, ignore_errors=True)
    except OSError as error:
        hint = "Choose a writable cache folder, or prepare the voice there beforehand"
        what = f"the prepared voice cannot be written to the cache ({error.strerror})"
        raise BackendMissing(what, str(shelf), hint) from error
    return target


def _sync(folder: Path) -> None:
    for path in (*(path for path in folder.iterdir() if not path.is_symlink()), folder):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Only one process at a time; the lock ends with the process that holds it."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
