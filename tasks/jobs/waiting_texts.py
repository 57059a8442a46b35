"""Waiting single texts: queued, held by a worker, or delayed. No ledger knows them."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from redis import Redis

from koebin.engine.checked_names import check_speaker
from koebin.engine.errors import InvalidName
from koebin.tasks import redis_keys
from koebin.tasks.broker.delayed_messages import delayed_messages
from koebin.tasks.broker.eta_messages import held_messages
from koebin.tasks.contracts import RENDER, SYNTHESIZE
from koebin.tasks.jobs.planning import predicted_seconds
from koebin.tasks.priorities import PRIORITY_STEPS, priority_step
from koebin.tasks.redis_keys import priority_list, speaker_queue

MOST_READ: Final = 2000
"""Messages of one list that are read; the rest of a longer list is estimated from their mean."""

_TEXTS: Final = (SYNTHESIZE, RENDER)
_PAGE: Final = 500
_PREFIX: Final = "speaker."
_SEPARATOR: Final = "\x06\x16"
_STRANGE: Final = (ValueError, LookupError, TypeError, AttributeError, RecursionError, InvalidName)
"""A queue may hold anything; entries that are not messages of Celery are ignored."""


@dataclass(frozen=True, slots=True)
class WaitingTexts:
    """Texts of one speaker and priority, with the predicted seconds of their audio."""

    texts: int
    seconds: float


class _Counter:
    """Counts each task once: a message may be seen in its queue and then with the worker that took it."""

    def __init__(self) -> None:
        self.found: dict[tuple[str, int], list[float]] = {}
        self._seen: set[str] = set()

    def count(self, message: Mapping[str, Any], queue: str, priority: int) -> float | None:
        """Predicted seconds of a text; None if it is not a text, or was counted."""
        headers = message["headers"]
        if headers.get("task") not in _TEXTS or not self.is_new(headers["id"]):
            return None
        return self.add(queue, priority, _seconds(message))

    def is_new(self, task_id: str) -> bool:
        """Whether the task was not seen before."""
        new = task_id not in self._seen
        self._seen.add(task_id)
        return new

    def add(self, queue: str, priority: int, seconds: float, texts: int = 1) -> float:
        entry = self.found.setdefault((check_speaker(queue.removeprefix(_PREFIX)), priority), [0, 0.0])
        entry[0] += texts
        entry[1] += seconds
        return seconds


def waiting_texts(redis: Redis, speakers: Iterable[str]) -> dict[str, dict[int, WaitingTexts]]:
    """Texts that are queued, held by a worker or delayed, by speaker and priority.

    Args:
        speakers: whose queues are read.

    Held and delayed texts are read before the queues and after them: a text that moves meanwhile is not missed.
    """
    counter = _Counter()
    _count_outside(redis, counter)
    for name in _filled_lists(redis, speakers):
        _count_list(redis, name, counter)
    _count_outside(redis, counter)
    found: dict[str, dict[int, WaitingTexts]] = {}
    for (speaker, priority), (texts, seconds) in sorted(counter.found.items()):
        found.setdefault(speaker, {})[priority] = WaitingTexts(int(texts), seconds)
    return found


def _count_outside(redis: Redis, counter: _Counter) -> None:
    for _tag, value in redis.hscan_iter(redis_keys.UNACKED, count=_PAGE):
        with suppress(*_STRANGE):
            message, _exchange, queue = json.loads(value)
            if queue.startswith(_PREFIX):
                counter.count(message, queue, _priority(message))
    for name, raw in held_messages(redis, MOST_READ):
        with suppress(*_STRANGE):
            queue, _, _ = name.partition(_SEPARATOR)
            message = json.loads(raw)
            counter.count(message, queue, _priority(message))
    for delayed in delayed_messages(redis):
        if delayed.task in _TEXTS and counter.is_new(delayed.task_id):
            counter.add(delayed.queue, delayed.priority, _seconds_of(delayed.request))


def _filled_lists(redis: Redis, speakers: Iterable[str]) -> list[str]:
    """Names of the speakers' lists that hold something; what is no speaker's name, or no list, is passed over."""
    names = []
    for speaker in sorted(speakers):
        with suppress(InvalidName):
            names += [priority_list(speaker_queue(speaker), step) for step in PRIORITY_STEPS]
    with redis.pipeline(transaction=False) as pipe:
        for name in names:
            pipe.llen(name)
        lengths = pipe.execute(raise_on_error=False)
    return [name for name, length in zip(names, lengths, strict=True) if isinstance(length, int) and length]


def _count_list(redis: Redis, name: str, counter: _Counter) -> None:
    queue, _, step = name.partition(_SEPARATOR)
    priority = int(step) if step.isdecimal() else PRIORITY_STEPS[0]
    # a message that is delivered in between would count as one more of the rest
    with redis.pipeline(transaction=True) as pipe:
        pipe.llen(name)
        pipe.lrange(name, -MOST_READ, -1)
        length, rows = pipe.execute()
    texts, seconds = 0, 0.0
    for raw in reversed(rows):
        with suppress(*_STRANGE):
            counted = counter.count(json.loads(raw), queue, priority)
            if counted is not None:
                texts, seconds = texts + 1, seconds + counted
    if texts and length > len(rows):
        more = (length - len(rows)) * texts // len(rows)
        counter.add(queue, priority, seconds / texts * more, more)


def _priority(message: Mapping[str, Any]) -> int:
    priority = (message.get("properties") or {}).get("priority")
    return priority_step(priority or 0)


def _seconds(message: Mapping[str, Any]) -> float:
    """Predicted seconds of a text; 0 for an unreadable one, which its task will refuse."""
    try:
        body = message["body"]
        if message["properties"].get("body_encoding") == "base64":
            body = base64.b64decode(body)
        return _seconds_of(json.loads(body)[0][0])
    except (KeyError, IndexError, TypeError, ValueError, AttributeError):
        return 0.0


def _seconds_of(request: Any) -> float:
    try:
        return predicted_seconds(str(request["text"]), float((request.get("options") or {}).get("speed", 1.0)))
    except (KeyError, TypeError, ValueError, AttributeError, ZeroDivisionError):
        return 0.0
