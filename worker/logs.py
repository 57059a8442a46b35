"""Logging set-up: text for people or JSON for programs, each line with its task."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from typing import Any, Final, TextIO

from celery.signals import task_postrun, task_prerun

from koebin.engine.display import json_text, mask_text, shown
from koebin.tasks.settings import Settings

_CONTEXT: Final = ("job", "chunk", "speaker", "task_id")


class _Text(logging.Formatter):
    """One line a record; what follows it, a stack trace, is indented, so that no message can pass for a record."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's name
        record.message = shown(record.message)
        context = " ".join(f"{name}={value}" for name, value in _context(record).items())
        return super().formatMessage(record) + (f"  [{shown(context)}]" if context else "")

    def formatException(self, info: Any) -> str:  # noqa: N802
        return "\n".join(f"    {shown(line)}" for line in super().formatException(info).splitlines())

    def formatStack(self, stack_info: str) -> str:  # noqa: N802
        return "\n".join(f"    {shown(line)}" for line in stack_info.splitlines())


class _Json(logging.Formatter):
    """JSON formatter: one object per line."""

    def format(self, record: logging.LogRecord) -> str:
        document = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created)) + f".{int(record.msecs):03d}Z",
            "level": record.levelname,
            "logger": record.name,
            "process": record.process,
            "message": mask_text(record.getMessage()),
            **{name: mask_text(value) if isinstance(value, str) else value for name, value in _context(record).items()},
        }
        if record.exc_info:
            document["exception"] = mask_text(self.formatException(record.exc_info))
        return json_text(document)


def _context(record: logging.LogRecord) -> dict[str, object]:
    """Context of a record: from its own fields, from the running task, or from the task's id."""
    said = {name: getattr(record, name) for name in _CONTEXT if getattr(record, name, None) is not None}
    celery = getattr(record, "data", None)  # where Celery's own records carry the task
    task_id = said.get("task_id") or (celery.get("id") if isinstance(celery, dict) else None) or _current()
    if not task_id:
        return said
    known = _of_id(str(task_id)) | _running.get(str(task_id), {}) | said | {"task_id": task_id}
    return {name: known[name] for name in _CONTEXT if name in known}


def _without_results(record: logging.LogRecord) -> bool:
    """Drop a task's return value from Celery's line about its end: it may hold signed URLs."""
    if isinstance(record.args, Mapping) and "return_value" in record.args:
        record.msg = "Task %(name)s[%(id)s] succeeded in %(runtime)ss"
        record.args = {name: record.args[name] for name in ("name", "id", "runtime")}
    return True


_running: dict[str, dict[str, object]] = {}
"""Contexts of this process's tasks, by task id."""
_mine: ContextVar[str] = ContextVar("task_id", default="")


def _current() -> str:
    """Task of this thread. A thread of the engine works for the running task, if there is exactly one."""
    return _mine.get() or (next(iter(_running), "") if len(_running) == 1 else "")


def _of_id(task_id: str) -> dict[str, object]:
    """Context from a task id of the form ``job/chunk`` or ``job/assemble``."""
    job, separator, rest = task_id.rpartition("/")
    if not separator:
        return {}
    return {"job": job, "chunk": int(rest)} if rest.isdecimal() else {"job": job}


def _begin(task_id: str, args: Sequence[Any], **_: object) -> None:
    request = args[0] if args and isinstance(args[0], Mapping) else {}
    _running[task_id] = {name: request[name] for name in ("job", "chunk", "speaker") if name in request}
    _mine.set(task_id)


def _end(task_id: str, **_: object) -> None:
    _running.pop(task_id, None)
    _mine.set("")


def set_up_logs(settings: Settings, stream: TextIO | None = None) -> None:
    """Send all records to stderr, or to another stream, in the chosen format."""
    task_prerun.connect(_begin)
    task_postrun.connect(_end)
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.addFilter(_without_results)
    text = _Text("%(asctime)s %(levelname)-7s %(name)s: %(message)s")
    handler.setFormatter(_Json() if settings.log_format == "json" else text)
    pool = logging.getLogger("multiprocessing")  # billiard turns propagation off again and again
    pool.handlers[:], pool.propagate = [handler], False
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(settings.log_level)
    logging.captureWarnings(True)
    # The HTTP client writes whole addresses, with texts and what signs a download in their queries.
    for noisy in ("kombu", "botocore", "urllib3", "celery.redirected", "amqp", "httpx2", "httpcore2"):
        logging.getLogger(noisy).setLevel(max(logging.WARNING, root.level))
