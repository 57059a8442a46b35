"""In the child: several texts that came as one pool job, each run as the task that it is."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, NamedTuple

from billiard.einfo import ExceptionInfo
from celery.app.trace import fast_trace_task
from celery.exceptions import Reject
from kombu.exceptions import KombuError
from kombu.serialization import loads

from koebin.tasks.running.micro_batch import render_together
from koebin.tasks.running.runtime import current

_THREADS: Final = 8
"""Most texts that are joined, encoded and stored at once: a store far away is waited for, not worked for."""


class Call(NamedTuple):
    """The arguments of Celery's trace."""

    name: str
    task_id: str
    request: dict[str, Any]
    body: Any
    content_type: str
    content_encoding: str


def speak_texts(calls: Sequence[Call]) -> list[Any]:
    """Render together what the texts lack, then run each.

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
        threads.shutdown(wait=False, cancel_futures=True)  # a process that is told to end does not wait for them


def _run(call: Call) -> Any:
    """Celery's trace lets go of a task whose result cannot be stored; its neighbours have results all the same."""
    try:
        return fast_trace_task(*call)
    except Reject:
        return 1, ExceptionInfo(internal=True), 0.0


def message_of(call: Call) -> Any:
    """The first argument of a call, None where there is none; what is wrong with it is the task's to say."""
    try:
        arguments, _, _ = loads(call.body, call.content_type, call.content_encoding, accept={"application/json"})
        return arguments[0]
    except (KombuError, ValueError, TypeError, LookupError):
        return None


def text_of(call: Call) -> str:
    """The text that is to be spoken; "" where the message has none."""
    message = message_of(call)
    text = message.get("text") if isinstance(message, dict) else None
    return text if isinstance(text, str) else ""
