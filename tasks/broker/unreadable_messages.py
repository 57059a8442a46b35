"""Unreadable messages, set aside for inspection: not run, not lost, and no crash."""

from __future__ import annotations

import json
import time
from typing import Any, Final

from redis import Redis

from koebin.tasks import redis_keys

_MOST: Final = 1000
_LONGEST: Final = 4000


def keep_unreadable(redis: Redis, reason: str, message: object) -> None:
    """Set a message aside as unreadable, with the reason; the last thousand are kept."""
    document = {"time": time.time(), "reason": reason[:500], "message": _text(message)[:_LONGEST]}
    row = json.dumps(document, ensure_ascii=False).encode(errors="replace")  # JSON may escape half of a surrogate pair
    pipe = redis.pipeline()
    pipe.lpush(redis_keys.UNREADABLE, row)
    pipe.ltrim(redis_keys.UNREADABLE, 0, _MOST - 1)
    pipe.execute()


def count_unreadable(redis: Redis) -> int:
    """Number of unreadable messages."""
    return int(redis.llen(redis_keys.UNREADABLE))


def unreadable_messages(redis: Redis, limit: int = _MOST) -> list[dict[str, Any]]:
    """Unreadable messages, latest first."""
    rows: Any = redis.lrange(redis_keys.UNREADABLE, 0, limit - 1)
    return [_row(row) for row in rows]


def _row(raw: bytes) -> dict[str, Any]:
    """A row that another version, or a stranger, has written is shown as it is."""
    try:
        found = json.loads(raw)
        return {"time": float(found["time"]), "reason": str(found["reason"]), "message": str(found["message"])}
    except (ValueError, TypeError, LookupError, RecursionError):
        return {"time": 0.0, "reason": "an entry of another kind", "message": raw.decode(errors="replace")[:_LONGEST]}


def remove_unreadable(redis: Redis) -> int:
    """Drop the unreadable messages; returns how many there were."""
    pipe = redis.pipeline()
    pipe.llen(redis_keys.UNREADABLE)
    pipe.delete(redis_keys.UNREADABLE)
    count, _ = pipe.execute()
    return int(count)


def _text(message: object) -> str:
    if isinstance(message, bytes):
        return message.decode(errors="replace")
    return message if isinstance(message, str) else json.dumps(message, ensure_ascii=False, default=repr)
