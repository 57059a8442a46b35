"""Entries of a queue as an envelope that Celery can be given, whatever it was.

kombu takes it for granted that what it reads is an envelope of its own: another text raises in the worker's loop, and
ends the worker. It also does what an envelope says: it decompresses, decodes with any codec of Python's, puts back to
any list. Here a message is JSON of bounded depth and size, in UTF-8, as it is. It belongs to the queue that it was
taken from. What is none of that becomes a message that nobody decodes, with what of its headers can be trusted.
"""

from __future__ import annotations

import json
import logging
from typing import Any, Final

from kombu.transport.virtual.base import Message as KombuMessage

from koebin.engine.bounded_json import loads
from koebin.engine.errors import InvalidInput
from koebin.engine.limits import ENVELOPE_BYTES, MESSAGE_BYTES, TASK_ID_CHARS
from koebin.tasks.priorities import PRIORITY_STEPS

log = logging.getLogger(__name__)

UNREADABLE: Final = "application/x-koebin-unreadable"
TOO_LONG: Final = "application/x-koebin-too-long"
COMPRESSED: Final = "application/x-koebin-compressed"
UNSUPPORTED: Final = "application/x-koebin-unsupported"
"""Content types of what is no envelope, too long, compressed, or no JSON in UTF-8; nobody accepts them."""
REFUSED: Final = frozenset({UNREADABLE, TOO_LONG, COMPRESSED, UNSUPPORTED})
_ENCODINGS: Final = frozenset({"utf-8", "utf8", "us-ascii", "ascii"})
_SHOWN: Final = 4000
_LEAST_URGENT: Final = 9


class Message(KombuMessage):
    """A message whose envelope may be anything."""

    def __init__(self, payload: Any, channel: Any = None, **kwargs: Any) -> None:
        safe = checked(payload)
        try:
            super().__init__(safe, channel=channel, **kwargs)
        except (ValueError, TypeError, LookupError, AttributeError):  # a body that is not what its encoding says
            super().__init__(_refused(safe, UNSUPPORTED), channel=channel, **kwargs)


def read(raw: bytes, queue: str, tag: str) -> bytes:
    """The envelope in JSON that kombu is given for an entry of a list.

    Args:
        queue: from which it was taken; requeued it goes back there, whatever it says itself.
        tag: under which it was noted as taken; senders may use one twice.
    """
    payload: Any = None
    if len(raw) > ENVELOPE_BYTES:
        payload = _unreadable(raw[:_SHOWN].decode(errors="replace"), queue, tag) | {"content-type": TOO_LONG}
    else:
        try:
            payload = _replaced(loads(raw), queue, tag)
        except InvalidInput:
            pass
        except Exception:  # one that nobody foresaw would end the worker's loop, and that of the next one
            log.exception("a message could not be looked at")
    if payload is None:
        payload = _unreadable(raw.decode(errors="replace"), queue, tag)
    return json.dumps(payload).encode()


def _replaced(payload: Any, queue: str, tag: str) -> Any:
    if not isinstance(payload, dict):
        return None
    properties = payload.get("properties")
    if not isinstance(properties, dict):
        return None
    redelivered = properties.get("delivery_info")
    again = isinstance(redelivered, dict) and redelivered.get("redelivered") is True
    route = {"exchange": "", "routing_key": queue, **({"redelivered": True} if again else {})}
    return checked(payload | {"properties": properties | {"delivery_tag": tag, "delivery_info": route}})


def checked(payload: Any) -> dict[str, Any]:
    """A payload that kombu can make a message of; one that it should not decode has a content type of ``REFUSED``."""
    if not _sound(payload):
        return _unreadable(payload if isinstance(payload, str) else repr(payload), *_route(payload))
    safe: dict[str, Any] = payload | {"properties": _properties(payload["properties"])}
    if payload["headers"].get("compression"):
        return _refused(safe, COMPRESSED)
    if len(payload["body"]) > MESSAGE_BYTES:
        return _refused(safe, TOO_LONG)
    kind, encoding = payload.get("content-type"), payload.get("content-encoding")
    if isinstance(kind, str) and kind in REFUSED:
        return safe
    if kind != "application/json" or str(encoding).lower() not in _ENCODINGS:
        return _refused(safe, UNSUPPORTED)
    return safe


def is_task_id(value: object) -> bool:
    """Whether this may name a task: it becomes part of keys and of lines in a log."""
    return isinstance(value, str) and 0 < len(value) <= TASK_ID_CHARS and value.isprintable()


def _sound(payload: Any) -> bool:
    if not isinstance(payload, dict):
        return False
    properties, headers = payload.get("properties"), payload.get("headers")
    if not isinstance(properties, dict) or not isinstance(headers, dict) or not isinstance(payload.get("body"), str):
        return False
    delivery = properties.get("delivery_info")
    return (
        isinstance(properties.get("delivery_tag"), str)
        and isinstance(delivery, dict)
        and all(isinstance(delivery.get(name), str) for name in ("exchange", "routing_key"))
        and ("task" not in headers or (is_task_id(headers["task"]) and is_task_id(headers.get("id"))))
        and _is_utf8(payload["body"])
        and _is_utf8(properties["delivery_tag"] + delivery["exchange"] + delivery["routing_key"])
    )


def _is_utf8(text: str) -> bool:
    """Not so half of a surrogate pair, which JSON may spell."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _properties(found: dict[str, Any]) -> dict[str, Any]:
    """Those that kombu and Celery use, of the kinds that they take for granted."""
    priority = found.get("priority")
    whole = isinstance(priority, int) and not isinstance(priority, bool)
    return {
        "correlation_id": _name(found.get("correlation_id")),
        "reply_to": _name(found.get("reply_to")),
        "delivery_mode": 2,
        "delivery_info": found["delivery_info"],
        "delivery_tag": found["delivery_tag"],
        "priority": min(max(priority, PRIORITY_STEPS[0]), _LEAST_URGENT) if whole and priority is not None else 0,
        "body_encoding": found.get("body_encoding") if isinstance(found.get("body_encoding"), str) else None,
    }


def _name(value: object) -> str | None:
    return value if is_task_id(value) and isinstance(value, str) else None


def _route(payload: Any) -> tuple[str, str]:
    """Queue and tag that a payload without sense may have all the same; the tag may have been noted."""
    properties = payload.get("properties") if isinstance(payload, dict) else None
    found = properties if isinstance(properties, dict) else {}
    tag, route = found.get("delivery_tag"), found.get("delivery_info")
    queue = route.get("routing_key") if isinstance(route, dict) else None
    return str(queue) if _named(queue) else "", str(tag) if _named(tag) else "unknown"


def _named(value: object) -> bool:
    return isinstance(value, str) and _is_utf8(value)


def _unreadable(shown: str, queue: str, tag: str) -> dict[str, Any]:
    route = {"exchange": "", "routing_key": queue}
    properties = {"delivery_tag": tag, "delivery_info": route, "priority": 0, "body_encoding": None}
    return {
        "body": shown[:_SHOWN].encode(errors="replace").decode(),
        "content-type": UNREADABLE,
        "content-encoding": "utf-8",
        "headers": {},
        "properties": properties,
    }


def _refused(safe: dict[str, Any], kind: str) -> dict[str, Any]:
    """With the headers, for who sent it is to be told, and the beginning of the body."""
    return safe | {
        "body": safe["body"][:_SHOWN],
        "content-type": kind,
        "content-encoding": "utf-8",
        "headers": {name: value for name, value in safe["headers"].items() if name != "compression"},
        "properties": safe["properties"] | {"body_encoding": None},
    }
