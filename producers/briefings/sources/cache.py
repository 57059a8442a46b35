"""Cache of fetched values on disk: reused while fresh, and better than the fallback while not too old."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from koebin.engine.content_id import canonical_json


@dataclass(frozen=True, slots=True)
class Kept:
    """Cached value and its age in seconds."""

    values: dict[str, Any]
    age: float


class ValueCache:
    """One JSON file per source definition; a file that is damaged or gone counts as absent."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def get(self, definition: object) -> Kept | None:
        """Cached value for this definition."""
        try:
            document = json.loads(self._path(definition).read_bytes())
            return Kept(document["values"], max(0.0, time.time() - document["time"]))
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def put(self, definition: object, values: dict[str, Any]) -> None:
        """Cache a value; a reader sees the old one or the new one.

        Raises:
            OSError: the folder cannot be written.
        """
        path = self._path(definition)
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        partial = path.with_suffix(f".{os.getpid()}.{secrets.token_hex(4)}")
        partial.write_text(json.dumps({"time": time.time(), "values": values}, ensure_ascii=False), encoding="utf-8")
        partial.replace(path)

    def _path(self, definition: object) -> Path:
        return self._folder / f"{hashlib.sha256(canonical_json(definition)).hexdigest()[:32]}.json"
