"""Durations as people write them: ``90s``, ``10m``, ``6h``, ``2d``, ``8w``."""

from __future__ import annotations

import re
from typing import Final

_UNITS: Final = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}


def seconds(value: object) -> float:
    """Seconds of a duration; a number is a number of seconds.

    Raises:
        ValueError: anything else.
    """
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value)
    found = re.fullmatch(r"([0-9]{1,9}(?:\.[0-9]{1,3})?)([smhdw])", value.strip()) if isinstance(value, str) else None
    if not found:
        raise ValueError('not a duration; write "90s", "10m", "6h", "2d" or "8w"')
    return float(found[1]) * _UNITS[found[2]]
