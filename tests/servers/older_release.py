"""Older release: its four packages out of this repository's history, run with the packages of today's environment."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from tests.servers.waiting import PATIENCE
from tests.servers.worker import ROOT, Worker, environment

COMMIT: Final = "d0f8de8"
"""Of the state whose messages, announcements and documents today's must live beside."""
_PACKAGES: Final = ("engine", "tasks", "worker", "producers")

_SUBMIT: Final = """
import json, sys
from producers.client import Client
from tasks.contracts import Output
from tasks.submission import Wishes
asked = json.load(sys.stdin)
with Client() as client:
    wishes = Wishes(Output(formats=tuple(asked["formats"])))
    print(client.submit(asked["text"], speaker=asked["speaker"], job_id=asked["job"], wishes=wishes))
"""
_WAIT: Final = """
import json, sys
from producers.client import Client
asked = json.load(sys.stdin)
with Client() as client:
    print(client.wait(asked["job"], asked["seconds"]).model_dump_json())
"""


def missing_reason() -> str:
    """Why it cannot be had here, "" if it can: a shallow clone, or a source archive."""
    found = subprocess.run(
        ["git", "cat-file", "-e", f"{COMMIT}^{{commit}}"], cwd=ROOT, capture_output=True, check=False
    )
    return "" if found.returncode == 0 else f"the commit {COMMIT} is not in this clone: fetch its whole history"


@contextmanager
def older_release() -> Iterator[OlderRelease]:
    """The release, unpacked into a folder that is removed again."""
    with tempfile.TemporaryDirectory(prefix="koebin-older-") as folder:
        archive = subprocess.run(
            ["git", "archive", COMMIT, *_PACKAGES], cwd=ROOT, capture_output=True, check=True
        ).stdout
        subprocess.run(["tar", "x", "-C", folder], input=archive, check=True)
        yield OlderRelease(Path(folder))


class OlderRelease:
    """Starts workers and producers of the release."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def variables(self) -> dict[str, str]:
        """Environment in which its packages are found before any others of their names."""
        return {"PYTHONPATH": str(self.folder)}

    def worker(self, broker: str, store: str, speakers: str = "mei", **options: Any) -> Worker:
        """A worker, not started yet; the arguments are those of ``Worker``."""
        return _OlderWorker(self.variables(), broker, store, speakers, **options)

    def submit(
        self, settings: Mapping[str, object], text: str, *, job: str, speaker: str = "mei", formats: tuple[str, ...]
    ) -> str:
        """Submit a text as a job by its producer."""
        asked = {"text": text, "job": job, "speaker": speaker, "formats": formats}
        return self._run(settings, _SUBMIT, asked).strip()

    def wait(self, settings: Mapping[str, object], job: str) -> Any:
        """The outcome of a job as its producer reads it."""
        return json.loads(self._run(settings, _WAIT, {"job": job, "seconds": PATIENCE}))

    def koebin(self, settings: Mapping[str, object], *arguments: str) -> subprocess.CompletedProcess[str]:
        """Its command."""
        return subprocess.run(
            [sys.executable, "-P", "-m", "producers", *arguments],
            cwd=self.folder,
            env=self._environment(settings),
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )

    def _run(self, settings: Mapping[str, object], script: str, asked: Mapping[str, object]) -> str:
        done = subprocess.run(
            [sys.executable, "-P", "-c", script],
            cwd=self.folder,
            env=self._environment(settings),
            input=json.dumps(asked),
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def _environment(self, settings: Mapping[str, object]) -> dict[str, str]:
        return environment(settings) | self.variables()


class _OlderWorker(Worker):
    def __init__(self, variables: dict[str, str], *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._command[1:4] = ["-P", "-m", "producers"]  # in place of: -P -m koebin
        self._env |= variables
