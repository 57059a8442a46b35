"""Traces: W3C's trace context, which travels with work, and spans of OpenTelemetry where the deployment wants them.

A ``traceparent`` that a submitter gives goes with its work, whether or not spans are made: into messages, into a job's
row of the ledger, and to the receiver of its webhook. ``KOEBIN_TRACES`` switches spans on; without it nothing of
OpenTelemetry is imported.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Final

from koebin.engine.errors import BackendMissing

if TYPE_CHECKING:
    from opentelemetry.trace import Tracer

HEADER: Final = "traceparent"
VARIABLE: Final = "TRACEPARENT"
"""Environment variable by which a shell's trace reaches a command."""
_TRACEPARENT: Final = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
_carried: Final[ContextVar[str]] = ContextVar(HEADER, default="")
_tracers: list[Tracer] = []


def set_up_traces(where: str, service: str) -> None:
    """Make spans in this process from now on; "" makes none.

    Args:
        where: ``otlp``, ``global`` or ``file:///path``, as ``KOEBIN_TRACES``.
        service: what the process is, such as ``koebin-worker``.

    Raises:
        InvalidSettings: none of these.
        BackendMissing: OpenTelemetry is not installed.
    """
    if not where or _tracers:
        return
    try:
        from koebin.tasks.trace_export import tracer
    except ModuleNotFoundError as error:
        what = "KOEBIN_TRACES is set, but OpenTelemetry is not installed"
        raise BackendMissing(what, str(error.name), "Run: pip install 'koebin[traces]', or unset it") from error
    _tracers.append(tracer(where, service))


def are_made() -> bool:
    """Whether this process makes spans."""
    return bool(_tracers)


def checked(traceparent: object) -> str:
    """A ``traceparent`` as W3C writes it; "" for anything else, which is as if there were none."""
    return traceparent if isinstance(traceparent, str) and _TRACEPARENT.fullmatch(traceparent) else ""


def current() -> str:
    """``traceparent`` of what this thread or task is doing; "" without a trace."""
    return _carried.get()


def headers() -> dict[str, str]:
    """Headers of a message, or of a request, by which its receiver goes on with the trace."""
    return {HEADER: carried} if (carried := current()) else {}


@contextmanager
def span(name: str, parent: object = None, **attributes: str | int | float) -> Iterator[None]:
    """Do something as a part of a trace; without ``KOEBIN_TRACES`` the trace is only handed on.

    Errors are named by their type alone: their messages may hold texts.

    Args:
        parent: a ``traceparent``; what is none goes on with the current one.
    """
    handed = checked(parent) or current()
    if not _tracers:
        with _carrying(handed):
            yield
        return
    from koebin.tasks.trace_export import started

    with started(_tracers[0], name, handed, attributes) as mine, _carrying(mine):
        yield


@contextmanager
def _carrying(traceparent: str) -> Iterator[None]:
    token = _carried.set(traceparent)
    try:
        yield
    finally:
        _carried.reset(token)
