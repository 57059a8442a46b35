"""Outcome of a job, ``jobs/<id>/result.json``, for as long as the store keeps it.

The first writer decides: an assembly, a failure or a cancel. The others adopt its outcome.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from koebin.tasks import store_keys
from koebin.tasks.contracts import Document, InputError, OmittedInput, Result, SegmentCounts, dump, parse_json
from koebin.tasks.jobs.ledger import State
from koebin.tasks.stores.base import Store


class OutputFile(Document):
    """Delivered file; ``chapter`` counts from 1, 0 is the whole."""

    uri: str
    kind: str
    format: str
    bytes: int
    sha256: str
    chapter: int = 0
    duration_seconds: float = 0.0


class Failure(Document):
    """Segment that could not be spoken."""

    key: str
    line: int
    item: str
    speaker: str
    text: str
    reason: str


class ItemResult(Document):
    """A line of ``results.jsonl``."""

    custom_id: str
    line: int
    result: Result | None = None
    error: str = ""


class JobOutcome(Document):
    """Outcome of a job.

    Attributes:
        left_out: parts of the input that are silent, with their places.
        warnings: parts that are spoken otherwise than the input has it.
    """

    version: Literal[1] = 1
    job: str
    state: State
    error: str = ""
    result: Result | None = None
    files: tuple[OutputFile, ...] = ()
    failures: tuple[Failure, ...] = ()
    segments: SegmentCounts = SegmentCounts(total=0, reused=0)
    report: dict[str, Any] = Field(default_factory=dict)
    left_out: tuple[OmittedInput, ...] = ()
    warnings: tuple[InputError, ...] = ()

    def model_post_init(self, _context: object) -> None:
        if not self.state.ended:
            raise ValueError("a running job has no outcome")


def stored_outcome(store: Store, job: str) -> JobOutcome | None:
    """Outcome of a job in its store, None if there is none.

    Raises:
        InvalidMessage: the stored object is not an outcome.
    """
    data = store.find(store_keys.result(job))
    return None if data is None else parse_json(JobOutcome, data)


def store_outcome(store: Store, outcome: JobOutcome) -> JobOutcome:
    """Store a job's outcome, unless there is one already; returns the one that holds.

    Raises:
        InvalidMessage: the stored object is not an outcome.
    """
    store.put(store_keys.result(outcome.job), dump(outcome))
    return parse_json(JobOutcome, store.get(store_keys.result(outcome.job)))
