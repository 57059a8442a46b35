"""Signatures for what Celery itself sends from a worker: callbacks and the rest of a chain."""

from __future__ import annotations

from typing import Any

from celery.signals import before_task_publish

from koebin.tasks.contracts import TASKS
from koebin.tasks.message_signing import HEADER, MessageKeys


def sign_published(keys: MessageKeys) -> None:
    """Sign every message of a task of ours that this process sends, if there are keys and it is not signed."""
    if not keys:
        return

    def sign(sender: str, body: Any, headers: dict[str, Any], **_: Any) -> None:
        if sender in TASKS and not headers.get(HEADER):
            arguments, keywords, links = body
            headers.update(keys.sign_message(sender, headers["id"], list(arguments), dict(keywords), links))

    before_task_publish.connect(sign, weak=False)
