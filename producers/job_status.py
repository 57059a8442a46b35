"""Status of a job: progress, remaining time, and what it waits for; from the ledger, or from the store alone."""

from __future__ import annotations

import time
from dataclasses import dataclass

from koebin.tasks.contracts import Manifest
from koebin.tasks.jobs.ledger import JobEntry, State
from koebin.tasks.jobs.outcome import JobOutcome


@dataclass(frozen=True, slots=True)
class Status:
    """State of a job at one moment.

    Attributes:
        progress: share of the work that is done, 0.0 to 1.0.
        eta_seconds: estimated seconds to the end; None while unknown.
        waiting: what the job waits for; "" if it makes progress.
        seconds_done: seconds of audio rendered so far.
        webhook: state of the webhook's delivery; "" if there is no webhook.
    """

    job: str
    state: State
    progress: float
    chunks: int
    chunks_done: int
    segments: int
    reused: int
    rendered: int
    seconds_done: float
    seconds_predicted: float
    eta_seconds: float | None
    waiting: str
    error: str
    title: str
    created: float
    webhook: str = ""


def status_of(entry: JobEntry, remaining: float | None = None) -> Status:
    """Status of a job that the ledger knows; ``remaining`` is its seconds of audio that are not done."""
    progress = 1.0 if entry.state in (State.SUCCEEDED, State.PARTIAL) else entry.done / entry.chunks
    return Status(
        job=entry.job,
        state=entry.state,
        progress=progress,
        chunks=entry.chunks,
        chunks_done=entry.done,
        segments=entry.segments,
        reused=entry.reused,
        rendered=entry.rendered,
        seconds_done=entry.seconds_done,
        seconds_predicted=entry.seconds,
        eta_seconds=_eta(entry, remaining),
        waiting=entry.waiting,
        error=entry.error,
        title=entry.title,
        created=entry.created,
        webhook=entry.webhook_state or ("not delivered yet" if entry.webhook and entry.state.ended else ""),
    )


def _eta(entry: JobEntry, remaining: float | None) -> float | None:
    """Estimated seconds for the rest, at the speed so far; None before the first chunk."""
    if entry.state is State.ASSEMBLING:
        return 0.0
    if entry.state is not State.RUNNING or not entry.done:
        return None
    if remaining is None:  # a list of jobs: chunks are sized by work, so counting them is near enough
        remaining = entry.seconds * (entry.chunks - entry.done) / entry.chunks
    made = entry.seconds - remaining
    return (time.time() - entry.created) * remaining / made if made > 0.0 else None


def stored_status(manifest: Manifest, outcome: JobOutcome | None, done: int) -> Status:
    """Status of a job that only the store knows; ``done`` is the number of its done chunks."""
    return Status(
        job=manifest.job,
        state=outcome.state if outcome else State.RUNNING,
        progress=1.0 if outcome else done / manifest.chunks,
        chunks=manifest.chunks,
        chunks_done=done,
        segments=manifest.segments,
        reused=outcome.segments.reused if outcome else 0,
        rendered=0,
        seconds_done=outcome.result.duration_seconds if outcome and outcome.result else 0.0,
        seconds_predicted=manifest.seconds,
        eta_seconds=None,
        waiting="" if outcome else "Redis does not know the job; run: koebin resume " + manifest.job,
        error=outcome.error if outcome else "",
        title=manifest.title,
        created=manifest.created,
    )
