"""A producer that is killed while it submits: ``python -m tests.chaos.producer``, settings from the environment."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from typing import Any, Final

from tests.servers.waiting import PATIENCE
from tests.servers.worker import ROOT, environment

SUBMITTING: Final = "while submitting"


def killed_submission(settings: Mapping[str, object], job: str, book: int, sentences: int, at: int) -> None:
    """Submit in a process of its own that is killed at its write number ``at`` (or ends before)."""
    subprocess.run(
        [sys.executable, "-m", "tests.chaos.producer", job, str(book), str(sentences), str(at)],
        cwd=ROOT,
        env=environment(settings),
        check=False,
        capture_output=True,
        timeout=PATIENCE,
    )


def main(job: str, book: int, sentences: int, at: int) -> None:
    from koebin.producers.client import Client
    from koebin.tasks.jobs import submission
    from koebin.tasks.jobs.ledger import Ledger
    from tests.chaos.driver import JOB_OPTIONS
    from tests.chaos.texts import script

    writes = 0

    def counted(inner: Any) -> Any:
        def call(*args: Any, **kwargs: Any) -> Any:
            nonlocal writes
            if writes == at:
                os.kill(os.getpid(), signal.SIGKILL)
            writes += 1
            return inner(*args, **kwargs)

        return call

    with Client() as client:
        store = type(client.store)
        for owner, name in ((store, "put"), (Ledger, "create"), (Ledger, "move_to_open"), (submission, "dispatch")):
            setattr(owner, name, counted(getattr(owner, name)))
        client.submit(script(book, sentences), job_id=job, job_options=JOB_OPTIONS, wait_seconds=30)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))
