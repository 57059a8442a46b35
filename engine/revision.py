"""Engine revision: everything in this installation that decides the samples, as one short string.

Light: it imports nothing that makes sound.
"""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Final

SOURCE_VERSION: Final = 4
"""Version, raised by hand whenever the engine's own code gives other samples for the same input."""
_PACKAGES: Final = ("numpy", "onnxruntime", "pyworld-prebuilt", "soxr")


@cache
def engine_revision() -> str:
    """Revision of 16 hex digits: it changes with the engine's arithmetic, its front end, and the packages both stand
    on.

    Workers announce it and producers plan with what is announced: it is part of every segment's key.
    """
    from koebin.engine.text.frontend import front_end_revision

    parts = [f"engine {SOURCE_VERSION}", f"front end {front_end_revision()}"]
    parts += [f"{name} {_version(name)}" for name in _PACKAGES]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "absent"
