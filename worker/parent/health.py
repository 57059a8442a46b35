"""Health file of a worker: liveness and readiness, written by the parent and read by ``koebin health``."""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from koebin.tasks.own_folder import check_own_folder
from koebin.worker.parent.run_directory import pid_namespace

_STALE_SECONDS: Final = 30.0
_FILE: Final = "health.json"


@dataclass(frozen=True, slots=True)
class Health:
    """State that a worker last wrote to its health file."""

    worker: str
    pid: int
    live: bool
    ready: bool
    detail: str


def no_health_file(_problem: str) -> None:
    """Placeholder for a worker without a run folder: it has no health file."""


def health_text(*, problem: str, consuming: tuple[str, ...], doubt: str = "") -> str:
    """Content of the health file. Ready is a worker that consumes queues; live is one that has no problem."""
    document = {
        "pid": os.getpid(),
        "namespace": pid_namespace(),
        "time": time.time(),
        "ready": bool(consuming),
        "problem": problem,
        "consuming": list(consuming),
        "doubt": doubt,
    }
    return json.dumps(document)


def read_health(run_dir: Path) -> list[Health]:
    """Health of every worker of this user that has its folder below ``run_dir``.

    Raises:
        ConfigurationError: others may write there, so that what it says means nothing.
    """
    if not os.path.lexists(run_dir):
        return []
    check_own_folder(run_dir)
    found = []
    for path in sorted(run_dir.glob(f"worker-*/{_FILE}")):
        document = json.loads(path.read_text())
        age = time.time() - document["time"]
        # of a process in another PID namespace nothing is known here but what it writes
        foreign = document.get("namespace", pid_namespace()) != pid_namespace()
        alive = foreign or Path(f"/proc/{document['pid']}").exists() or not Path("/proc/self").exists()
        live = alive and age < _STALE_SECONDS and not document["problem"]
        said = f"consuming {', '.join(document['consuming'])}" if live else f"silent for {age:.0f} s"
        if live and document.get("doubt"):
            said = f"takes nothing until it has proved itself: {document['doubt']}"
        detail = document["problem"] or said
        found.append(Health(path.parent.name, document["pid"], live, live and document["ready"], detail))
    return found
