"""Remote control of a worker: what looks and what revokes stays, what would change its pool or its queues is refused.

A worker has one process and the queues of its speakers for life; another number, a rate or a cancelled queue leaves it
deaf or without its engine. ``control_exchange`` of our own keeps the commands of other applications away.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Final

from celery.worker.control import Panel

ALLOWED: Final = frozenset(
    {
        "active",
        "active_queues",
        "clock",
        "conf",
        "disable_events",
        "dump_active",
        "dump_conf",
        "dump_reserved",
        "dump_revoked",
        "dump_schedule",
        "dump_tasks",
        "enable_events",
        "heartbeat",
        "hello",
        "ping",
        "query_task",
        "registered",
        "report",
        "reserved",
        "revoke",
        "revoke_by_stamped_headers",
        "revoked",
        "scheduled",
        "shutdown",
        "stats",
        "terminate",
    }
)


def restrict_control() -> None:
    """Answer every other command of this process's workers with a refusal."""
    commands: dict[str, Callable[..., Any]] = Panel.data
    for name in commands.keys() - ALLOWED:
        commands[name] = partial(_refuse, name)


def _refuse(name: str, state: Any, **_: Any) -> dict[str, str]:
    del state
    return {
        "error": f"a Koebin worker refuses {name}: its process, its queues and its limits are settings of its start"
    }
