"""Refusal of a message in the parent: a result for who waits for it, a place among the unreadable where nobody can."""

from __future__ import annotations

import logging
from typing import Any

from celery.app.task import Context
from celery.exceptions import NotRegistered, Reject
from redis import Redis
from redis.exceptions import RedisError

from koebin.engine.errors import NotSigned
from koebin.tasks.broker.unreadable_messages import keep_unreadable
from koebin.tasks.contracts import ASSEMBLE, SYNTHESIZE_CHUNK, TEXT_TASKS
from koebin.worker.celery_ext.admission import Refuse
from koebin.worker.celery_ext.envelope import is_task_id

log = logging.getLogger(__name__)


def refuse(app: Any, redis: Redis, message: Any, verdict: Refuse) -> None:
    """Say why a message is not run, and acknowledge it: it must not come back for ever."""
    task, task_id = message.headers.get("task"), message.headers.get("id")
    log.error("refused a message: %s", verdict.error, extra={"task_id": str(task_id)[:100]})
    answered = is_task_id(task) and is_task_id(task_id) and task not in (SYNTHESIZE_CHUNK, ASSEMBLE)
    if not answered or task not in TEXT_TASKS or isinstance(verdict.error, NotRegistered | NotSigned):
        keep_unreadable(redis, f"{type(verdict.error).__name__}: {verdict.error}", message.body or "")
    if answered:
        _answer(app, task_id, verdict, message.headers)
    if not message.acknowledged:
        message.ack()


def _answer(app: Any, task_id: str, verdict: Refuse, headers: dict[str, Any]) -> None:
    """Store the failure, then let the chord, the chain and the errbacks of the message hear of it."""
    try:
        app.backend.mark_as_failure(task_id, verdict.error)
    except (Reject, RedisError) as error:
        log.warning("a refusal could not be stored: %s", error, extra={"task_id": task_id})
        return
    if not any(verdict.links.values()):
        return
    try:
        request = Context({"id": task_id, "group": headers.get("group"), "group_index": headers.get("group_index")})
        request.update(verdict.links)
        app.backend.mark_as_failure(task_id, verdict.error, request=request, store_result=False)
    except Exception:
        log.exception("what a refused message was linked to could not be told", extra={"task_id": task_id})
