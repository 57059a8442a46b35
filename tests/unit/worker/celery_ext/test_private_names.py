"""Private names and signatures of Celery, kombu and billiard that ``worker/celery_ext`` relies on.

A release that changes one fails here in a second, and not in a worker. Nothing outside of that folder may use any.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import kombu.transport
import pytest
from billiard.pool import ApplyResult
from celery import Celery
from celery.app.trace import fast_trace_task
from celery.concurrency.asynpool import AsynPool
from celery.concurrency.prefork import TaskPool
from celery.worker import state
from celery.worker.consumer.consumer import Consumer
from celery.worker.control import Panel
from celery.worker.request import Request
from kombu.transport import redis
from kombu.transport.virtual import base

ROOT = Path(__file__).resolve().parents[4]

SIGNATURES: list[tuple[Callable[..., Any], list[str]]] = [
    (redis.Channel._brpop_start, ["self", "timeout"]),
    (redis.Channel._brpop_read, ["self", "options"]),
    (redis.Channel._receive_one, ["self", "c"]),
    (redis.Channel._q_for_pri, ["self", "queue", "pri"]),
    (redis.QoS.append, ["self", "message", "delivery_tag"]),
    (redis.QoS.restore_visible, ["self", "start", "num", "interval"]),
    (redis.QoS.restore_by_tag, ["self", "tag", "client", "leftmost"]),
    (redis.QoS._remove_from_indices, ["self", "delivery_tag", "pipe"]),
    (base.QoS.ack, ["self", "delivery_tag"]),
    (base.QoS.append, ["self", "message", "delivery_tag"]),
    (base.Message.__init__, ["self", "payload", "channel", "kwargs"]),
    (Request.on_accepted, ["self", "pid", "time_accepted"]),
    (Request.on_failure, ["self", "exc_info", "send_failed_event", "return_ok"]),
    (Request.on_timeout, ["self", "soft", "timeout"]),
    (Request.acknowledge, ["self"]),
    (Request.reject, ["self", "requeue"]),
    (Request.revoked, ["self"]),
    (Request._success_was_stored, ["self"]),
    (Request.execute_using_pool, ["self", "pool", "kwargs"]),
    (AsynPool.flush, ["self"]),
    (ApplyResult.worker_pids, ["self"]),
    (Consumer.connect, ["self"]),
    (Consumer.create_task_handler, ["self", "promise"]),
    (Consumer.on_decode_error, ["self", "message", "exc"]),
    (Consumer.on_unknown_message, ["self", "body", "message"]),
    (Consumer.on_unknown_task, ["self", "body", "message", "exc"]),
    (Consumer.on_invalid_task, ["self", "body", "message", "exc"]),
    (Consumer.cancel_task_queue, ["self", "queue"]),
    (fast_trace_task, ["task", "uuid", "request", "body", "content_type", "content_encoding", "loads", "_loc",
                       "hostname", "_"]),
]  # fmt: skip

ASSIGNED: list[tuple[type, str, list[str]]] = [
    (Request, "__init__", ["_message", "_app", "_request_dict", "_body"]),
    (Request, "_context", ["_request_dict"]),
    (Request, "revoked", ["_already_revoked"]),
    (base.Message, "__init__", ["_raw"]),
    (redis.QoS, "__init__", ["_vrestore_count"]),
    (redis.Channel, "__init__", ["_queue_cycle"]),
    (redis.Channel, "_brpop_start", ["_in_poll", "_brpop_sent_at", "_queue_cycle"]),
    (ApplyResult, "__init__", ["_accepted"]),
    (Consumer, "__init__", ["on_task_request", "timer", "pool"]),
]


@pytest.mark.parametrize(("function", "names"), SIGNATURES, ids=lambda value: getattr(value, "__qualname__", ""))
def test_signatures(function: Callable[..., Any], names: list[str]) -> None:
    assert list(inspect.signature(function).parameters) == names


@pytest.mark.parametrize(("kind", "method", "names"), ASSIGNED, ids=lambda value: str(getattr(value, "__name__", "")))
def test_attributes(kind: type, method: str, names: list[str]) -> None:
    found = inspect.getattr_static(kind, method)
    source = inspect.getsource(getattr(found, "func", None) or getattr(found, "fget", None) or found)
    assert [name for name in names if f"self.{name}" not in source] == []


def test_names_of_modules_and_tables() -> None:
    assert {"redis", "rediss", "sentinel"} <= kombu.transport.TRANSPORT_ALIASES.keys()
    assert callable(redis.Mutex)
    assert issubclass(redis.MutexHeld, Exception)
    assert {"revoke", "ping", "rate_limit", "pool_grow", "cancel_consumer"} <= Panel.data.keys()
    assert isinstance(Celery(set_as_current=False).loader.override_backends, dict)
    assert TaskPool.Pool is AsynPool
    assert ApplyResult._write_to is None
    for name in ("requests", "active_requests", "should_stop", "should_terminate", "task_ready", "revoked"):
        assert hasattr(state, name)
    assert Consumer.__dict__.get("task_consumer", None) is None  # set when its step starts


def private_names(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Private attributes of anything but ``self`` and ``cls``, and private names of those packages."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr.startswith("_") and not node.attr.startswith("__"):
            owner = node.value
            own = isinstance(owner, ast.Name) and owner.id in ("self", "cls")
            inherited = isinstance(owner, ast.Call) and isinstance(owner.func, ast.Name) and owner.func.id == "super"
            if not own and not inherited:
                yield node.lineno, node.attr
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in ("celery", "kombu", "billiard"):
            for part in [*(node.module or "").split("."), *(alias.name for alias in node.names)]:
                if part.startswith("_"):
                    yield node.lineno, part


OWN = frozenset({"_exit", "_fields", "_replace", "_asdict", "_ctypes"})
"""Of the standard library, and public there for all that."""


def test_none_is_used_outside_of_its_folder() -> None:
    found = []
    for folder in ("tasks", "worker", "producers"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            if "celery_ext" in path.parts:
                continue
            imports = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.ImportFrom)]
            if not any((node.module or "").split(".")[0] in ("celery", "kombu", "billiard") for node in imports):
                continue
            found += [
                f"{path.relative_to(ROOT)}:{line} {name}"
                for line, name in private_names(ast.parse(path.read_text()))
                if name not in OWN
            ]
    assert found == []
