"""Home of this user, for paths that begin with ``~``; a uid without an entry, as in containers, has one in ``/tmp``."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from koebin.engine.errors import ConfigurationError


def expanded(path: Path | str) -> Path:
    """A path with ``~`` replaced by the home folder; without one by a folder with this uid's number.

    Raises:
        ConfigurationError: there is no home, and that folder is another user's.
    """
    try:
        return Path(path).expanduser()
    except RuntimeError:  # neither HOME nor an entry among the users
        own = Path(tempfile.gettempdir(), f"koebin-{os.getuid()}")
        if os.path.lexists(own) and os.lstat(own).st_uid != os.getuid():
            raise ConfigurationError("this user has no home", str(path), "Set HOME, or KOEBIN_CACHE") from None
        return own / "home" / str(path).removeprefix("~").lstrip("/")
