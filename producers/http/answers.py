"""Errors as each family of routes tells them: problem details (RFC 9457), OpenAI's shape, VOICEVOX's shape."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from starlette.responses import JSONResponse

from koebin.engine.display import json_text, mask_text
from koebin.engine.errors import InvalidOption, InvalidText, KoebinError, SpeakerError
from koebin.producers.http.errors import retry_after, status_of

OPENAI_PATHS = ("/v1/audio/", "/v1/models")
PROBLEM = "application/problem+json"


class Json(JSONResponse):
    """JSON in which nothing steers a terminal: also people read answers."""

    def render(self, content: Any) -> bytes:
        return json_text(content).encode()


def answer(path: str, error: KoebinError) -> JSONResponse:
    """An error as the route under ``path`` tells it."""
    headers = _headers(error)
    status = status_of(error)
    if path.startswith(OPENAI_PATHS):
        return Json(openai_error(error), status, headers)
    if not path.startswith("/v1/") and path not in ("/", "/session"):
        return Json({"detail": str(error)}, status, headers)
    return Json(problem(error), status, headers, media_type=PROBLEM)


def _headers(error: KoebinError) -> dict[str, str]:
    headers = {}
    if seconds := retry_after(error):
        headers["Retry-After"] = str(math.ceil(seconds))
    if status_of(error) == 401:
        headers["WWW-Authenticate"] = 'Bearer realm="koebin"'
    return headers


def problem(error: KoebinError) -> dict[str, Any]:
    """Problem details; ``detail`` is what the command line would print."""
    kind = type(error)
    title = (kind.__doc__ or kind.__name__).partition("\n")[0].rstrip(".")
    found: dict[str, Any] = {
        "type": f"urn:koebin:{kebab(kind.__name__)}",
        "title": title,
        "status": status_of(error),
        "detail": str(error),
    }
    more = {
        "value": mask_text(error.value)[:200],
        "hint": mask_text(error.hint),
        "line": error.line,
        "column": error.column,
    }
    return {**found, **{name: value for name, value in more.items() if value}}


def openai_error(error: KoebinError) -> dict[str, Any]:
    """``{"error": {"message", "type", "param", "code"}}``."""
    status = status_of(error)
    kind = "invalid_request_error" if status < 500 else "server_error"
    if status == 429:
        kind = "rate_limit_error"
    code = {401: "invalid_api_key", 429: "rate_limit_exceeded"}.get(status, kebab(type(error).__name__, "_"))
    return {"error": {"message": str(error), "type": kind, "param": _param(error), "code": code}}


def _param(error: KoebinError) -> str | None:
    if isinstance(error, SpeakerError):
        return "voice"
    if isinstance(error, InvalidText):
        return "input"
    if isinstance(error, InvalidOption):
        return error.what.partition(" ")[0]
    return getattr(error, "param", None)


def first_fault(errors: Sequence[Mapping[str, Any]]) -> tuple[str, str]:
    """Where a body breaks its schema, and how."""
    first = errors[0]
    where = ".".join(str(part) for part in first["loc"] if part not in ("body", "query", "path"))
    return where, str(first["msg"])


def kebab(name: str, joint: str = "-") -> str:
    """``SpeakerNotServed`` -> ``speaker-not-served``."""
    return re.sub(r"(?<!^)(?=[A-Z])", joint, name).lower()
