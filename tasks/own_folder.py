"""Folders that are this user's alone, for state that others must neither read nor lead astray."""

from __future__ import annotations

import os
import stat
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Final

from koebin.engine.errors import ConfigurationError

_HINT: Final = "Set KOEBIN_RUN_DIR to a folder that belongs to you and that nobody else may write to"


def run_folder(chosen: Path | None) -> Path:
    """Folder for the state of this user's workers: the one chosen, the session's, else one with this user's number.

    It is neither made nor looked at.
    """
    if chosen is not None:
        return chosen
    session = os.environ.get("XDG_RUNTIME_DIR", "")
    return Path(session, "koebin") if os.path.isabs(session) and os.path.isdir(session) else scratch_folder(None)


def scratch_folder(chosen: Path | None) -> Path:
    """Folder for what may be large: a session's folder often lies in memory."""
    return chosen if chosen is not None else Path(tempfile.gettempdir(), f"koebin-{os.getuid()}")


def own_folder(path: Path) -> Path:
    """Make a folder with mode 0700 where there is none, and check it where there is one.

    Raises:
        ConfigurationError: it is a link or a file, another user's, or others may write to it; or it cannot be made.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with suppress(FileExistsError):
            path.mkdir(mode=0o700)
        check_own_folder(path)
    except OSError as error:
        raise ConfigurationError(f"the run folder cannot be used ({error.strerror})", str(path), _HINT) from error
    return path


def check_own_folder(path: Path) -> None:
    """Check a folder that is there. Raises: OSError: it is not. ConfigurationError: see ``own_folder``."""
    found = os.lstat(path)
    if stat.S_ISLNK(found.st_mode) or not stat.S_ISDIR(found.st_mode):
        raise ConfigurationError("the run folder is a link or a file", str(path), _HINT)
    if found.st_uid != os.getuid():
        raise ConfigurationError("the run folder belongs to another user", str(path), _HINT)
    if found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise ConfigurationError("others may write to the run folder", str(path), _HINT)
