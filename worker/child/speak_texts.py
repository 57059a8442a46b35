"""Micro-batch in the pool process: several single texts that came as one pool job, each run as a task of its own."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, NamedTuple

from billiard.einfo import ExceptionInfo
from celery.app.trace import fast_trace_task
from celery.exceptions import Reject
from kombu.exceptions import KombuError
from kombu.serialization import loads

from koebin.tasks.running.render_together import render_together
from koebin.tasks.running.runtime import current

_THREADS: Final = 8
"""Most texts that are joined, encoded and stored at once; most of that time is spent waiting for a remote store."""


class Call(NamedTuple):
    """The arguments of Celery's trace."""

    name: str
    task_id: str
    request: dict[str, Any]
    body: Any
    content_type: str
    content_encoding: str


def speak_texts(calls: Sequence[Call]) -> list[Any]:
    """Render the micro-batch's missing sentences in one pass, then run each text's task.

    Returns:
        For each call what Celery's trace returns.
    """
    if len(calls) == 1:
        return [fast_trace_task(*calls[0])]
    for call, made in zip(calls, render_together(current(), [message_of(call) for call in calls]), strict=True):
        call.request.setdefault("koebin", {})["made"] = made
    threads = ThreadPoolExecutor(min(_THREADS, len(calls)), "koebin-texts")
    try:
        return list(threads.map(_run, calls))
    finally:
        threads.shutdown(wait=False, cancel_futures=True)  # a process that is asked to exit does not wait for them


def _run(call: Call) -> Any:
    """Run one task. A result that cannot be stored ends Celery's trace with an error, which must not reach the other
    texts.
    """
    try:
        return fast_trace_task(*call)
    except Reject:
        return 1, ExceptionInfo(internal=True), 0.0


def message_of(call: Call) -> Any:
    """The first argument of a call, None if there is none. An invalid one is reported by its task."""
    try:
        arguments, _, _ = loads(call.body, call.content_type, call.content_encoding, accept={"application/json"})
        return arguments[0]
    except (KombuError, ValueError, TypeError, LookupError):
        return None


def text_of(call: Call) -> str:
    """The text to be spoken; "" if the message has none."""
    message = message_of(call)
    text = message.get("text") if isinstance(message, dict) else None
    return text if isinstance(text, str) else ""
