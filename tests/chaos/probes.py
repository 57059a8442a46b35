"""Named steps inside a worker at which a driver can hold it, so that a fault hits exactly there.

A step is armed by a file ``arm/<step>`` in the folder that ``CHAOS_DIR`` names. The first process that comes to the
step takes the file away, which is atomic, leaves ``hit/<step>`` with its process id, and waits for ``go``.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

HANDED_OUT: Final = "message handed out"
TAKEN: Final = "message taken"
BUSY: Final = "child busy"
SYNTHESISED: Final = "segment synthesised"
BEFORE_WRITE: Final = "before the write"
AFTER_WRITE: Final = "after the write"
BEFORE_TICK: Final = "before the tick"
AFTER_TICK: Final = "after the tick"
BEFORE_ACK: Final = "before the ack"
SWEEPING: Final = "while sweeping"
ASSEMBLING: Final = "while assembling"
UPLOADING: Final = "before the upload"
MAKING_WAY: Final = "while making way"
"""Only where something more urgent is asked for."""
STEPS: Final = (
    TAKEN,
    BUSY,
    SYNTHESISED,
    BEFORE_WRITE,
    AFTER_WRITE,
    BEFORE_TICK,
    AFTER_TICK,
    BEFORE_ACK,
    SWEEPING,
    ASSEMBLING,
    UPLOADING,
)
FOLDER: Final = "CHAOS_DIR"
_LONGEST_SECONDS: Final = 60.0


def install_probes() -> None:
    """Wrap the functions at the steps; called in a worker's parent before anything of it runs."""
    import koebin.tasks.assembly.job
    import koebin.tasks.segments.store
    import koebin.worker.celery_ext.consumer
    from koebin.engine.speaker import Speaker
    from koebin.tasks.broker.leases import Leases
    from koebin.tasks.jobs.ledger import Ledger
    from koebin.worker.celery_ext.leased_request import LeasedRequest
    from koebin.worker.celery_ext.transport import QoS
    from koebin.worker.parent.requeue_lost import LostWork

    _wrap(QoS, "append", before=HANDED_OUT)
    _wrap(koebin.worker.celery_ext.consumer, "run_leased", before=TAKEN)
    _wrap(LeasedRequest, "acknowledge", before=BEFORE_ACK)
    _wrap(koebin.tasks.segments.store, "write", before=BEFORE_WRITE, after=AFTER_WRITE)
    _wrap(Ledger, "mark_done", before=BEFORE_TICK, after=AFTER_TICK)
    _wrap(Leases, "keep", before=MAKING_WAY)
    _wrap(LostWork, "_requeue_lost", before=SWEEPING)
    _wrap(koebin.tasks.assembly.job, "_render", before=ASSEMBLING)
    _wrap(koebin.tasks.assembly.job, "_upload", before=UPLOADING)
    _wrap_render(Speaker)


def _wrap(owner: Any, name: str, *, before: str = "", after: str = "") -> None:
    inner: Callable[..., Any] = getattr(owner, name)

    def wrapped(*args: Any, **kwargs: Any) -> Any:
        if before:
            probe(before)
        result = inner(*args, **kwargs)
        if after:
            probe(after)
        return result

    setattr(owner, name, wrapped)


def _wrap_render(speaker: Any) -> None:
    inner: Callable[..., Iterator[Any]] = speaker.render

    def render(self: Any, requests: Sequence[Any], *go_on: Callable[[], bool] | None) -> Iterator[Any]:
        from koebin.tasks.running import runtime

        if not runtime._current:  # warming up
            yield from inner(self, requests, *go_on)
            return
        probe(BUSY)
        for audio in inner(self, requests, *go_on):
            probe(SYNTHESISED)
            yield audio

    speaker.render = render


def probe(step: str) -> None:
    """Wait here if the step is armed and nobody else has come to it yet."""
    folder = Path(os.environ[FOLDER])
    name = step.replace(" ", "-")
    hit = folder / "hit" / name
    try:
        os.rename(folder / "arm" / name, hit.with_suffix(f".{os.getpid()}"))
    except FileNotFoundError:
        return
    hit.with_suffix(f".{os.getpid()}").write_text(json.dumps({"step": step, "pid": os.getpid()}))
    hit.with_suffix(f".{os.getpid()}").rename(hit)
    deadline = time.monotonic() + _LONGEST_SECONDS
    while not (folder / "go").exists() and time.monotonic() < deadline:
        time.sleep(0.01)


class Steps:
    """The driver's side: arm a step, see who came to it, let it go on."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("arm", "hit"):
            (folder / name).mkdir(parents=True, exist_ok=True)

    def reset(self) -> None:
        """Nothing armed, nobody held."""
        self.go()
        for name in ("arm", "hit"):
            for path in (self.folder / name).iterdir():
                path.unlink(missing_ok=True)

    def arm(self, step: str) -> None:
        (self.folder / "go").unlink(missing_ok=True)
        (self.folder / "arm" / step.replace(" ", "-")).touch()

    def hit(self, step: str) -> int | None:
        """Process id of the one that waits at the step."""
        try:
            document = json.loads((self.folder / "hit" / step.replace(" ", "-")).read_text())
        except FileNotFoundError:
            return None
        return int(document["pid"])

    def go(self) -> None:
        (self.folder / "go").touch()
