"""Judgement of a message as it is taken, before Celery makes a request of it: run, hold for its ETA, refuse, or park.

Celery believes headers and the part of the body that links other tasks: it keeps what has an ETA in memory, counts it
in the prefetch, ends processes after any time limit, and lets a header or a linked field stand for anything that it
keeps of a request. Here what is run has the headers that Celery knows, each of its kind, and a body of its shape.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from celery.exceptions import NotRegistered

from koebin.engine.bounded_json import loads
from koebin.engine.errors import InvalidInput, InvalidMessage, KoebinError
from koebin.engine.limits import CANVAS_SIGNATURES, HEADER_CHARS, HOLD_SECONDS, TIME_LIMIT_FLOOR_SECONDS
from koebin.tasks.broker.celery_config import SENT_HEADER
from koebin.tasks.contracts import TASKS
from koebin.tasks.message_signing import HEADER, NO_KEYS, MessageKeys, message_content
from koebin.worker.celery_ext.envelope import COMPRESSED, REFUSED, TOO_LONG, UNREADABLE, is_task_id

OURS: Final = frozenset(TASKS)
"""Names of the tasks that a worker runs; Celery's own, ``celery.map`` and its kin, are not among them."""
_LINKS: Final = ("callbacks", "errbacks", "chain", "chord")
_REASONS: Final = {
    COMPRESSED: InvalidMessage("the message is compressed", "compression", "Send without task_compression"),
    TOO_LONG: InvalidMessage("the message is too long", "too-long", "Send long texts as a job: koebin narrate"),
    UNREADABLE: InvalidMessage("the message is no envelope of Celery's"),
}
_NOT_JSON: Final = InvalidMessage("the message's body is not JSON in UTF-8", "", 'Set task_serializer to "json"')


@dataclass(frozen=True, slots=True)
class Run:
    """A message that Celery may make a request of; its headers are replaced."""

    headers: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Hold:
    """A message that is due later, in seconds since the epoch."""

    due: float
    headers: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Refuse:
    """A message that is not run; ``links`` are those of its tasks that are to hear of it."""

    error: Exception
    links: dict[str, Any] = field(default_factory=dict)


Verdict = Run | Hold | Refuse


def judge(message: Any, now: Callable[[], float], keys: MessageKeys = NO_KEYS) -> Verdict:
    """What is to become of a message.

    Args:
        message: kombu's; its body is read, and no more.
        keys: that have to have signed it, if there are any.
        now: asks for the seconds since the epoch, by the clock that holds messages.
    """
    if message.content_type in REFUSED:
        return Refuse(_REASONS.get(message.content_type, _NOT_JSON))
    links: dict[str, Any] = {}
    try:
        if "task" not in message.headers:
            raise InvalidMessage("the message has no task header", "", "Send with task_protocol 2")
        arguments, keywords, links = _content(message.body)
        headers = _headers(message.headers)
        if keys:
            content = message_content(headers["task"], headers["id"], arguments, keywords, links)
            keys.check("message", content, headers.get(HEADER) or "")
        due = _due(headers, now)
    except KoebinError as error:
        return Refuse(error, links)
    if headers["task"] not in OURS:
        return Refuse(NotRegistered(headers["task"]), links)
    headers["eta"] = None
    return Run(headers) if due is None else Hold(due, headers)


def _due(headers: Mapping[str, Any], now: Callable[[], float]) -> float | None:
    """When a message is to be run that is not to be run now. Raises: InvalidMessage: in another age."""
    if headers["eta"] is None:
        return None
    due, present = datetime.fromisoformat(headers["eta"]).timestamp(), now()
    if due - present > HOLD_SECONDS:
        raise InvalidMessage("the message's eta lies too far ahead", headers["eta"])
    return due if due > present else None


def _content(body: bytes | str) -> tuple[list[Any], dict[str, Any], dict[str, Any]]:
    """Arguments, keywords, and the part of a body that links other tasks.

    Raises:
        InvalidMessage: the body is not of Celery's shape.
    """
    try:
        content = loads(body)
    except InvalidInput as error:
        raise InvalidMessage(f"the message's body: {error}") from None
    if not isinstance(content, list) or len(content) != 3:
        raise InvalidMessage("the message's body is no list of arguments, keywords and links")
    arguments, keywords, links = content
    if not isinstance(arguments, list) or not isinstance(keywords, dict):
        raise InvalidMessage("the message's arguments are no list, or its keywords no object")
    if links is not None and not isinstance(links, dict):
        raise InvalidMessage("the message's links are no object")
    found = links or {}
    for name, value in found.items():
        if name not in _LINKS:
            raise InvalidMessage("the message links something unknown", name[:80])
        if name == "chord":
            signatures = [] if value is None else [value]
        elif value is None or isinstance(value, list):
            signatures = value or []
        else:
            raise InvalidMessage("the message's linked tasks are no list", name)
        if len(signatures) > CANVAS_SIGNATURES:
            raise InvalidMessage("the message links too many tasks", name)
        if not all(_is_signature(signature) for signature in signatures):
            raise InvalidMessage("the message links what is no signature of a task", name)
    return arguments, keywords, found


def _is_signature(value: object) -> bool:
    return (
        isinstance(value, dict)
        and is_task_id(value.get("task"))
        and isinstance(value.get("args") or [], list)
        and isinstance(value.get("kwargs") or {}, dict)
        and isinstance(value.get("options") or {}, dict)
        and isinstance(value.get("subtask_type"), str | None)
    )


def _headers(found: Mapping[str, Any]) -> dict[str, Any]:
    """The headers that Celery and Koebin know, each of its kind.

    Raises:
        InvalidMessage: one that decides when, or for how long, the task runs is of another kind.
    """
    headers = {name: kind(found[name]) for name, kind in _KINDS.items() if name in found}
    headers["eta"] = _moment(found.get("eta"), "eta")
    headers["expires"] = _moment(found.get("expires"), "expires")
    headers["timelimit"] = [_time_limit(found.get("timelimit")), None]
    return headers


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and len(value) <= HEADER_CHARS and value.isprintable() else None


def _count(value: object) -> int:
    return value if isinstance(value, int) and 0 <= value < 1 << 31 else 0


def _count_or_none(value: object) -> int | None:
    return None if value is None else _count(value)


def _flag(value: object) -> bool | None:
    return value if isinstance(value, bool) else None


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else None


def _stamp_names(value: object) -> list[str] | None:
    named = isinstance(value, list) and all(isinstance(name, str) for name in value)
    return value if named and isinstance(value, list) else None


def _stamps(value: object) -> dict[str, Any] | None:
    return value if isinstance(value, dict) else None


_KINDS: Final[dict[str, Callable[[object], Any]]] = {
    **dict.fromkeys(("id", "task", "root_id", "parent_id", "group", "lang", "origin"), _text),
    **dict.fromkeys(("argsrepr", "kwargsrepr"), lambda value: _text(value) or ""),
    **dict.fromkeys(("traceparent", "tracestate", "baggage", HEADER), _text),
    **dict.fromkeys(("retries", "replaced_task_nesting"), _count),
    "group_index": _count_or_none,
    "ignore_result": _flag,
    "stamped_headers": _stamp_names,
    "stamps": _stamps,
    SENT_HEADER: _number,
}
"""``shadow`` is not among them: it would give a task the name of another, in the log and where its kind is asked."""


def _moment(value: object, name: str) -> str | None:
    """A date in ISO 8601 with its zone, UTC where it has none."""
    if value is None:
        return None
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else None
        if moment is not None:
            aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
            aware.timestamp()
            return aware.isoformat()
    except (ValueError, OverflowError):
        pass
    raise InvalidMessage(f"the message's {name} is no date in ISO 8601", str(value)[:40])


def _time_limit(value: object) -> float | None:
    """The hard limit of a pair of hard and soft, never below the floor; None where there is none."""
    if value is None:
        return None
    if not isinstance(value, list) or len(value) != 2:
        raise InvalidMessage("the message's time limits are no pair", json.dumps(value)[:40])
    hard, _soft = value
    if hard is None:
        return None
    seconds = _number(hard)
    if seconds is None or seconds < 0:
        raise InvalidMessage("the message's time limit is no number of seconds", json.dumps(value)[:40])
    return max(seconds, TIME_LIMIT_FLOOR_SECONDS) if seconds else None
