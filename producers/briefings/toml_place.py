"""Line and column of a key in a TOML file, for messages: tomllib keeps no positions."""

from __future__ import annotations

import re
from collections.abc import Sequence


def place_of(text: str, keys: Sequence[str]) -> tuple[int, int]:
    """1-based line and column of the key, else of the nearest table above it, else (0, 0).

    Good enough for messages: a look-alike inside a multi-line string is skipped by tracking triple quotes.
    """
    best = (0, 0, 0)
    table: tuple[str, ...] = ()
    inside = ""
    for number, line in enumerate(text.splitlines(), 1):
        if not inside:
            header = re.match(r"\s*\[\[?([^\[\]]+)\]", line)
            key = re.match(r"\s*([A-Za-z0-9_.\"'-]+)\s*=", line)
            if header:
                table = _split(header[1])
            full = table if header else (*table, *_split(key[1])) if key else ()
            found = header or key
            if found and len(full) > best[0] and tuple(keys[: len(full)]) == full:
                best = (len(full), number, found.start(1) + 1)
        for quotes in re.findall(r"\"\"\"|'''", line):
            inside = quotes if not inside else "" if quotes == inside else inside
    return best[1:]


def _split(dotted: str) -> tuple[str, ...]:
    return tuple(part.strip().strip("\"'") for part in dotted.split("."))
