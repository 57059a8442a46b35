"""Log lines for people or for programs."""

from __future__ import annotations

import json
import logging
import sys
import time
from typing import Final

from worker.settings import Settings

_CONTEXT: Final = ("job", "chunk", "speaker", "task_id")


class _Text(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        context = " ".join(f"{name}={value}" for name, value in _context(record).items())
        return super().format(record) + (f"  [{context}]" if context else "")


class _Json(logging.Formatter):
    """One object per line."""

    def format(self, record: logging.LogRecord) -> str:
        document = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created)) + f".{int(record.msecs):03d}Z",
            "level": record.levelname,
            "logger": record.name,
            "process": record.process,
            "message": record.getMessage(),
            **_context(record),
        }
        if record.exc_info:
            document["exception"] = self.formatException(record.exc_info)
        return json.dumps(document, ensure_ascii=False)


def _context(record: logging.LogRecord) -> dict[str, object]:
    return {name: getattr(record, name) for name in _CONTEXT if getattr(record, name, None) is not None}


def set_up_logs(settings: Settings) -> None:
    """Send everything to stderr in the chosen form."""
    handler = logging.StreamHandler(sys.stderr)
    text = _Text("%(asctime)s %(levelname)-7s %(name)s: %(message)s")
    handler.setFormatter(_Json() if settings.log_format == "json" else text)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(settings.log_level)
    for noisy in ("kombu", "botocore", "urllib3", "celery.redirected", "amqp"):
        logging.getLogger(noisy).setLevel(max(logging.WARNING, root.level))
