"""Queues of tasks that are sent without one: ours by what they are about, others to Celery's default.

A worker sends the callbacks and the rest of a chain that somebody linked to a text. Their queue is known to who linked
them, who may name it in the signature; ``celery`` is where an application listens that has configured nothing else.
"""

from __future__ import annotations

from typing import Any, Final

from koebin.engine.errors import KoebinError
from koebin.tasks.contracts import ASSEMBLE, SYNTHESIZE_CHUNK, TEXT_TASKS
from koebin.tasks.redis_keys import ASSEMBLE_QUEUE, speaker_queue

DEFAULT_QUEUE: Final = "celery"


def route(name: str, args: Any, kwargs: Any, options: Any, task: Any = None, **_: Any) -> dict[str, str]:
    """The queue of a task, as Celery's ``task_routes`` asks for it."""
    del options, task
    if name == ASSEMBLE:
        return {"queue": ASSEMBLE_QUEUE}
    if name in (*TEXT_TASKS, SYNTHESIZE_CHUNK):
        request = args[0] if args else (kwargs or {}).get("request")
        speaker = request.get("speaker") if isinstance(request, dict) else None
        try:
            return {"queue": speaker_queue(str(speaker))}
        except KoebinError:
            pass
    return {"queue": DEFAULT_QUEUE}
