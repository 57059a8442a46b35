"""Concurrent fetching of a briefing's sources; no source can fail the briefing."""

from __future__ import annotations

import asyncio
import logging
import time
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from koebin.producers.briefings.access_policy import Policy
from koebin.producers.briefings.briefing_file import Briefing, Clock, Command, Feed, File, Json, Source
from koebin.producers.briefings.sources.base import Fetched, SourceFailed
from koebin.producers.briefings.sources.cache import Kept, ValueCache
from koebin.producers.briefings.sources.clock import clock_values
from koebin.producers.briefings.sources.command import command_values
from koebin.producers.briefings.sources.documents import document_values
from koebin.producers.briefings.sources.feed import feed_values
from koebin.producers.briefings.sources.fetch import fetch
from koebin.producers.briefings.sources.file import file_values

log = logging.getLogger(__name__)


async def gather(briefing: Briefing, due: datetime, policy: Policy) -> dict[str, Fetched]:
    """Fetch every source concurrently, each within its own timeout.

    Args:
        due: the due time (aware), for clock sources.
    """
    names = list(briefing.sources)
    found = await asyncio.gather(*(_fetched(briefing.sources[name], briefing, due, policy) for name in names))
    return dict(zip(names, found, strict=True))


async def _fetched(source: Source, briefing: Briefing, due: datetime, policy: Policy) -> Fetched:
    start = time.monotonic()
    definition = [source.model_dump(mode="json"), list(briefing.network.hosts), str(briefing.folder)]
    cache = ValueCache(policy.cache) if policy.cache and (source.cache or source.stale) else None
    kept = cache.get(definition) if cache else None
    if kept and kept.age < source.cache:
        return Fetched(kept.values, "cache", "", time.monotonic() - start)
    try:
        values = await _values(source, briefing, due, policy)
    except SourceFailed as error:
        return _failed(source, kept, str(error), time.monotonic() - start)
    except Exception as error:
        # An unexpected error must not affect the other sources; it is reported like any failure.
        log.exception("unexpected error in a %s source of briefing %s", source.kind, briefing.name)
        return _failed(source, kept, f"an unexpected {type(error).__name__}", time.monotonic() - start)
    if cache:
        _keep(cache, definition, values)
    left_out = values.get("left_out", 0)
    untitled = values.get("untitled", 0)
    problem = "; ".join(
        filter(
            None,
            (
                f"{left_out} items cannot be spoken and are left out" if left_out else "",
                f"{untitled} items have no title" if untitled else "",
            ),
        )
    )
    return Fetched(values, "fresh", problem, time.monotonic() - start)


async def _values(source: Source, briefing: Briefing, due: datetime, policy: Policy) -> dict[str, Any]:
    match source:
        case Clock():
            return clock_values(due.astimezone(ZoneInfo(briefing.when.time_zone)))
        case Feed():
            return await feed_values(source, briefing, policy)
        case Json():
            return await _json_values(source, briefing, policy)
        case File():
            return await file_values(source, briefing, policy)
        case Command():
            return await command_values(source, briefing, policy)


async def _json_values(source: Json, briefing: Briefing, policy: Policy) -> dict[str, Any]:
    hosts, limit = briefing.network.hosts, source.max_bytes
    body = await fetch(source.url, hosts=hosts, policy=policy, timeout=source.timeout, max_bytes=limit)
    return document_values(body.data, "json")


def _failed(source: Source, kept: Kept | None, problem: str, seconds: float) -> Fetched:
    if kept and kept.age < source.stale:
        return Fetched(kept.values, "stale", problem, seconds)
    return Fetched(None, "fallback", problem, seconds)


def _keep(cache: ValueCache, definition: object, values: dict[str, Any]) -> None:
    try:
        cache.put(definition, values)
    except OSError as error:
        log.warning("a fetched value cannot be cached (%s)", error.strerror)
