"""Durations and sizes in human notation."""

from __future__ import annotations

import re
from typing import Final

_SECONDS: Final = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_BYTES: Final = {"B": 1, "KB": 1 << 10, "MB": 1 << 20}


def seconds(value: object) -> float:
    """Seconds of ``"90s"``, ``"10m"``, ``"6h"``, ``"2d"`` or a number of seconds.

    Raises:
        ValueError: anything else.
    """
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value)
    found = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)([smhd])", value) if isinstance(value, str) else None
    if not found:
        raise ValueError('not a duration, write "90s", "10m", "6h" or "2d"')
    return float(found[1]) * _SECONDS[found[2]]


def byte_count(value: object) -> int:
    """Bytes of ``"500KB"``, ``"1MB"`` or a number of bytes; KB and MB are powers of 1024.

    Raises:
        ValueError: anything else.
    """
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    found = re.fullmatch(r"([0-9]+)(B|KB|MB)", value) if isinstance(value, str) else None
    if not found:
        raise ValueError('not a size, write "500KB" or "1MB"')
    return int(found[1]) * _BYTES[found[2]]
