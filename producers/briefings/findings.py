"""Static checks of a briefing on this machine, without fetching or submitting anything."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from koebin.engine.errors import InvalidBriefing
from koebin.producers.briefings.access_policy import Policy
from koebin.producers.briefings.briefing_file import Briefing, Command, Feed, File, Json
from koebin.producers.briefings.compose import RENDER_SECONDS, render
from koebin.producers.briefings.sandbox.calls import IsolatedFailed, call_isolated
from koebin.producers.briefings.schedule.due_times import next_ticks
from koebin.producers.briefings.sources.allowed_hosts import check_host
from koebin.producers.briefings.sources.base import Fetched, SourceFailed
from koebin.producers.briefings.sources.clock import clock_values


@dataclass(frozen=True, slots=True)
class BriefingFinding:
    """Finding of a check.

    Attributes:
        level: an ``error`` prevents the briefing as intended, a ``warning`` may.
        where: the part of the file.
        line: 1-based, 0 if unknown.
    """

    level: Literal["error", "warning"]
    where: str
    message: str
    line: int = 0

    def as_json(self) -> dict[str, Any]:
        """JSON object with all fields."""
        return asdict(self)


def check(briefing: Briefing, now: datetime, policy: Policy) -> list[BriefingFinding]:
    """Check a loaded briefing; empty if there are no findings.

    The template is rendered with every source failing, clocks apart: what is spoken on the worst morning must be
    speakable.

    Args:
        now: aware; start of the schedule's check.
    """
    return [*_schedule(briefing, now), *_sources(briefing, policy), *_files(briefing), *_templates(briefing, now)]


def _schedule(briefing: Briefing, now: datetime) -> Iterator[BriefingFinding]:
    if not next_ticks(briefing, now, 1):
        yield BriefingFinding("error", "when", "nothing is due in the next five years")


def _sources(briefing: Briefing, policy: Policy) -> Iterator[BriefingFinding]:
    for name, source in briefing.sources.items():
        where = f"sources.{name}"
        if isinstance(source, (Feed, Json)):
            yield from _address(where, source.url, briefing, policy)
        if isinstance(source, Command) and not policy.commands:
            yield BriefingFinding(
                "warning", where, "command sources are disabled on this machine, so the fallback will be spoken"
            )
        if isinstance(source, File):
            path = (briefing.folder / source.path).resolve()
            if not any(path.is_relative_to(root.resolve()) for root in policy.roots(briefing.folder)):
                yield BriefingFinding("error", where, f"{source.path} is outside the allowed folders")
            elif not path.is_file():
                yield BriefingFinding("warning", where, f"{source.path} does not exist now")


def _address(where: str, url: str, briefing: Briefing, policy: Policy) -> Iterator[BriefingFinding]:
    try:
        parts = urlsplit(url)
        host, password = parts.hostname or "", parts.username or parts.password
    except ValueError:
        yield BriefingFinding("error", where, "the url is invalid")
        return
    if parts.scheme not in ("http", "https") or not host or password:
        yield BriefingFinding("error", where, "the url must be http or https, with a host and without a password")
        return
    for patterns, whose in ((briefing.network.hosts, "network.hosts"), (policy.hosts, "this machine's allowed hosts")):
        try:
            check_host(host, patterns)
        except SourceFailed:
            yield BriefingFinding("error", where, f"the host {host} is missing in {whose}")


def _files(briefing: Briefing) -> Iterator[BriefingFinding]:
    for path in briefing.voice.dictionaries:
        if not (briefing.folder / path).is_file():
            yield BriefingFinding("error", "voice.dictionaries", f"{path} does not exist")


def _templates(briefing: Briefing, now: datetime) -> list[BriefingFinding]:
    says = {f"sources.{name}.say": source.say for name, source in briefing.sources.items()}
    return asyncio.run(_rendering(briefing, says, now))


async def _rendering(briefing: Briefing, says: dict[str, str], now: datetime) -> list[BriefingFinding]:
    try:
        problems = await call_isolated({"call": "compile", "templates": says}, b"", RENDER_SECONDS)
    except IsolatedFailed as error:
        return [BriefingFinding("error", "sources", f"their say templates: {error}")]
    found = [BriefingFinding("error", where, problem) for where, problem in problems.items()]
    local = now.astimezone(ZoneInfo(briefing.when.time_zone))
    clocks = {name for name, source in briefing.sources.items() if source.kind == "clock"}
    fetched = {name: Fetched(clock_values(local) if name in clocks else None) for name in briefing.sources}
    try:
        rendered = await render(briefing, fetched)
    except InvalidBriefing as error:
        return [*found, BriefingFinding("error", "template", error.what, error.line)]
    unsaid = [source for source in rendered.sources if source.name in clocks and source.problem]
    return found + [BriefingFinding("error", f"sources.{source.name}", source.problem) for source in unsaid]
