"""Report of the check: one JSON and one log, whole after every figure, so that a machine that is gone takes nothing."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any


class Report:
    """Figures by part.

    Args:
        folder: gets ``gpu_check.json`` and ``gpu_check.log``.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.figures: dict[str, dict[str, Any]] = {}
        self._json = folder / "gpu_check.json"
        self._log = folder / "gpu_check.log"
        self._log.write_text("", "utf-8")
        self._began = time.monotonic()

    def add(self, part: str, name: str, value: Any) -> None:
        """Keep a figure; a text of several lines goes into the log alone."""
        self.log(f"{part}: {name}: {value}")
        if not (isinstance(value, str) and "\n" in value):
            self.figures.setdefault(part, {})[name] = value
        self._json.write_text(json.dumps(self.figures, ensure_ascii=False, indent=1) + "\n", "utf-8")

    def log(self, text: str) -> None:
        """Add to the log, with the seconds since the start."""
        line = f"{time.monotonic() - self._began:7.1f} {text}"
        print(line, flush=True)
        with self._log.open("a", encoding="utf-8") as file:
            file.write(line + "\n")
