"""Run directory of a worker: reports of its pool processes, the drain order and the health file."""

from __future__ import annotations

import json
import os
import shutil
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from koebin.tasks.broker.fleet import ServedSpeaker
from koebin.tasks.own_folder import own_folder

_PREFIX: Final = "worker-"
_SILENT_SECONDS: Final = 24 * 3600


def pid_namespace() -> int:
    """Number of this process's PID namespace, 0 if unknown: containers may share a folder, and have equal ids."""
    try:
        return os.stat("/proc/self/ns/pid").st_ino
    except OSError:
        return 0


def worker_folder(parent: Path, pid: int) -> Path:
    """The folder of the worker with this process id."""
    return parent / f"{_PREFIX}{pid}.{pid_namespace()}"


@dataclass(frozen=True, slots=True)
class ChildReport:
    """Report of one pool process: its engine is ready, or why not."""

    pid: int
    ready: bool
    reason: str = ""
    speakers: tuple[ServedSpeaker, ...] = ()
    doubt: str = ""


class RunDirectory:
    """A worker's own folder: reports of its pool processes, the drain order, the health file.

    Args:
        scratch: another folder for what is large; None takes the same.
    """

    def __init__(self, path: Path, scratch: Path | None = None) -> None:
        self.path = path
        self._known: list[ChildReport] = []
        self.scratch = scratch or path

    def create(self) -> None:
        """Create the folders, empty and readable by their owner alone; remove folders of workers that were killed.

        Raises:
            ConfigurationError: the folder that they lie in is not this user's alone.
        """
        for path in {self.path, self.scratch}:
            own_folder(path.parent)
            shutil.rmtree(path, ignore_errors=True)
            path.mkdir(mode=0o700)
            for old in path.parent.glob(f"{_PREFIX}*"):
                if _is_abandoned(old):
                    shutil.rmtree(old, ignore_errors=True)

    def remove(self) -> None:
        """Remove the folders with all that they hold."""
        for path in {self.path, self.scratch}:
            shutil.rmtree(path, ignore_errors=True)

    def folder(self, name: str) -> Path:
        """An empty folder inside this one."""
        path = self.path / name
        path.mkdir(mode=0o700)
        return path

    def clear_scratch(self) -> None:
        """Remove the scratch files of a process that was killed during an assembly. Called in its successor."""
        for old in self.scratch.glob("assemble-*"):
            shutil.rmtree(old, ignore_errors=True)

    def report(self, report: ChildReport) -> None:
        """Write this process's report. Called in a pool process."""
        self.write(f"child-{report.pid}.json", json.dumps(asdict(report)))

    def reports(self) -> list[ChildReport]:
        """Reports of live processes, and of those whose engine could not be built."""
        found: list[ChildReport] = []
        if self._known and not self.path.exists():  # somebody has tidied up: the processes are ready all the same
            for known in self._known:
                self.report(known)
        for path in sorted(self.path.glob("child-*.json")):
            document = json.loads(path.read_text())
            speakers = tuple(
                ServedSpeaker(**{**s, "styles": tuple(s["styles"]), "creators": tuple(s.get("creators", ()))})
                for s in document.pop("speakers")
            )
            report = ChildReport(**document, speakers=speakers)
            if report.ready and not Path(f"/proc/{report.pid}").exists() and Path("/proc/self").exists():
                path.unlink(missing_ok=True)
                continue
            found.append(report)
        self._known = found
        return found

    def discard(self, pid: int) -> None:
        """Remove a process's report."""
        (self.path / f"child-{pid}.json").unlink(missing_ok=True)

    def order_drain(self, deadline: float) -> None:
        """Order running work to be given back at ``deadline``, on the machine's monotonic clock."""
        self.write("drain", repr(deadline))

    def drain_deadline(self) -> float | None:
        """Time at which running work is given back; None if there is no such order."""
        try:
            return float((self.path / "drain").read_text())
        except FileNotFoundError:
            return None

    def write(self, name: str, text: str) -> None:
        """Write a file that appears whole or not at all."""
        temporary = self.path / f".{name}.{os.getpid()}"
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)  # somebody may tidy up in /tmp
        temporary.write_text(text)
        temporary.replace(self.path / name)


def _is_abandoned(folder: Path) -> bool:
    """Whether its worker is gone; of another PID namespace's, where nobody knows, whether it is silent for long."""
    pid, _, namespace = folder.name.removeprefix(_PREFIX).partition(".")
    if namespace in ("", str(pid_namespace())):
        return Path("/proc/self").exists() and not Path("/proc", pid).exists()
    try:
        return time.time() - max(folder.stat().st_mtime, *(path.stat().st_mtime for path in folder.iterdir()), 0.0) > (
            _SILENT_SECONDS
        )
    except OSError:
        return False
