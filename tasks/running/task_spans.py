"""Spans around tasks, each with its parent from the job's row or from the message; see ``koebin.tasks.traces``."""

from __future__ import annotations

from contextlib import AbstractContextManager

from koebin.tasks import traces
from koebin.tasks.running.runtime import Runtime


def job_span(
    runtime: Runtime, sent: str | None, name: str, job: str, *, chunk: int | None = None
) -> AbstractContextManager[None]:
    """A span of the job's own trace, whoever sent the message; Redis is asked only where spans are made.

    Args:
        sent: the message's ``traceparent``, for a job that has none.
    """
    parent = runtime.ledger.trace(job) if traces.are_made() else ""
    numbered = {} if chunk is None else {"koebin.chunk": chunk}
    return traces.span(name, parent or sent, **{"koebin.job": job}, **numbered)


def text_span(sent: str | None, speaker: str) -> AbstractContextManager[None]:
    """A span of a single text, with the message's ``traceparent`` as its parent."""
    return traces.span("koebin.text", sent, **{"koebin.speaker": speaker})
