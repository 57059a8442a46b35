"""Messages as anybody may write them into a list."""

from __future__ import annotations

import base64
import json
from typing import Any
from uuid import uuid4


def envelope(
    task: object,
    request: object,
    *,
    body: bytes | None = None,
    headers: dict[str, Any] | None = None,
    properties: dict[str, Any] | None = None,
    links: dict[str, Any] | None = None,
    **changes: object,
) -> dict[str, Any]:
    """A message as kombu lays it into a list; headers and properties are added to what it has."""
    raw = json.dumps([[request], {}, links or {}]).encode() if body is None else body
    message: dict[str, Any] = {
        "body": base64.b64encode(raw).decode(),
        "content-encoding": "utf-8",
        "content-type": "application/json",
        "headers": {"lang": "py", "task": task, "id": str(uuid4()), "argsrepr": "", "kwargsrepr": ""} | (headers or {}),
        "properties": {
            "correlation_id": str(uuid4()),
            "delivery_mode": 2,
            "delivery_info": {"exchange": "", "routing_key": "speaker.mei"},
            "priority": 0,
            "body_encoding": "base64",
            "delivery_tag": str(uuid4()),
        }
        | (properties or {}),
    }
    return message | changes


def text_request(text: str, store: str, **changes: object) -> dict[str, object]:
    return {"text": text, "speaker": "mei", "store": store} | changes
