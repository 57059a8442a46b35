"""``jobs/<id>/result.json``: how a job ended, for as long as the store keeps it.

Whoever writes it first decides, an assembly, a failure or a cancel; the others go on with what stands there.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from koebin.engine.errors import StoreNotFound
from koebin.tasks import keys
from koebin.tasks.contracts import Result, SegmentCounts, dump, parse_json
from koebin.tasks.jobs.ledger import State
from koebin.tasks.stores.base import Store


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class OutputFile(_Frozen):
    """One delivered file; ``chapter`` counts from 1, 0 is the whole."""

    uri: str
    kind: str
    format: str
    bytes: int
    sha256: str
    chapter: int = 0
    duration_seconds: float = 0.0


class Failure(_Frozen):
    """A segment that was given up."""

    key: str
    line: int
    item: str
    speaker: str
    text: str
    reason: str


class ItemResult(_Frozen):
    """A line of ``results.jsonl``."""

    custom_id: str
    line: int
    result: Result | None = None
    error: str = ""


class JobOutcome(_Frozen):
    """How a job ended."""

    version: Literal[1] = 1
    job: str
    state: State
    error: str = ""
    result: Result | None = None
    files: tuple[OutputFile, ...] = ()
    failures: tuple[Failure, ...] = ()
    segments: SegmentCounts = SegmentCounts(total=0, reused=0)
    report: dict[str, Any] = Field(default_factory=dict)

    def model_post_init(self, _context: object) -> None:
        if not self.state.ended:
            raise ValueError("a job that goes on has no outcome")


def stored_outcome(store: Store, job: str) -> JobOutcome | None:
    """How a job ended as its store tells it, None if it does not.

    Raises:
        InvalidMessage: what stands there is no outcome.
    """
    try:
        return parse_json(JobOutcome, store.get(keys.result(job)))
    except StoreNotFound:
        return None


def settle(store: Store, outcome: JobOutcome) -> JobOutcome:
    """Store how a job ended, unless it has ended already; returns how it did.

    Raises:
        InvalidMessage: what stands there is no outcome.
    """
    store.put(keys.result(outcome.job), dump(outcome))
    return parse_json(JobOutcome, store.get(keys.result(outcome.job)))
