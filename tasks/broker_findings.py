"""Findings about a broker: mode, writes, rights, memory policy, clock.

``koebin doctor`` shows them, and a worker logs them as it starts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from redis import Redis
from redis.exceptions import ResponseError

from koebin.tasks.connection import clock_skew, takes_writes
from koebin.tasks.rights import USEFUL, missing_rights
from koebin.tasks.stores.base import Finding

RIGHTS: Final = "broker rights"
_RIGHTS_HINT: Final = "Give the user the rights of docs/operations.md, section Redis"


def broker_findings(client: Redis, shown: str) -> Iterator[Finding]:
    """What is right and wrong about a broker that answers.

    Args:
        shown: its address without credentials.

    Raises:
        RedisError: it does not answer any more.
    """
    lacking = missing_rights(client)
    info: Mapping[str, Any] = {} if USEFUL in lacking else client.info()
    version = info.get("valkey_version") or info.get("redis_version") or "unknown"
    yield Finding("broker", ok=True, detail=f"{shown}, version {version}")
    for right in lacking:
        yield Finding(RIGHTS, ok=False, detail=f"the user may not use {right}", hint=_RIGHTS_HINT)
    if info.get("redis_mode") == "cluster":
        hint = "Use one server with or without replicas, or Redis Sentinel"
        yield Finding("broker mode", ok=False, detail="Redis Cluster is no transport of Celery", hint=hint)
    yield from _writes(client, info)
    policy = str(info.get("maxmemory_policy", "noeviction"))
    if policy != "noeviction":
        hint = "Set maxmemory-policy noeviction; otherwise the server may drop queued work"
        yield Finding("broker memory policy", ok=False, detail=f"maxmemory-policy is {policy}", hint=hint)
    if "the command TIME" not in lacking and (skew := clock_skew(client)):
        detail = f"this machine's clock is {skew:+.0f} s off the broker's"
        yield Finding("clock", ok=False, detail=detail, hint="Set the clock of the machine that is wrong")


def _writes(client: Redis, info: Mapping[str, Any]) -> Iterator[Finding]:
    try:
        writes = takes_writes(client)
    except ResponseError:  # a right that is named by itself
        return
    if not writes:
        replica = info.get("role") == "slave"
        detail = "the server is a replica and takes no writes" if replica else "the server takes no writes"
        hint = "Use its primary" if replica else "Is it full, without its replicas, or unable to save? See its log"
        yield Finding("broker writes", ok=False, detail=detail, hint=hint)
