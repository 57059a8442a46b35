"""Implementation of the briefing commands in `koebin.producers.commands.briefing`."""

from __future__ import annotations

import ipaddress
import json
import signal
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import typer
from redis import Redis

from koebin.engine.checked_names import nearest
from koebin.engine.errors import ConfigurationError, InvalidBriefing, InvalidSettings
from koebin.engine.home import expanded
from koebin.producers.briefings.access_policy import Policy
from koebin.producers.briefings.beat import run_beat
from koebin.producers.briefings.briefing_file import Briefing, load_briefing, load_folder
from koebin.producers.briefings.compose import compose, job_id, preview
from koebin.producers.briefings.findings import BriefingFinding, check
from koebin.producers.briefings.jobs import Jobs
from koebin.producers.briefings.schedule.due_times import next_ticks
from koebin.producers.briefings.schedule.journal import Journal, Tick, TickState, tick_id
from koebin.producers.briefings.schedule.lease import holding
from koebin.producers.briefings.schedule.progress import Progress
from koebin.producers.child_keeper import scratch
from koebin.producers.console import note, say, say_json, say_result
from koebin.producers.exits import FAILED, INVALID
from koebin.tasks.connection import check as check_broker
from koebin.tasks.connection import connect
from koebin.tasks.settings import Settings
from koebin.worker.logs import set_up_logs

_SUBMITTED_WITHIN = 300.0
"""Seconds that rendering and submitting may take without --wait."""


def policy_of(settings: Settings) -> Policy:
    """Access policy of briefings, from the settings.

    Raises:
        InvalidSettings: an invalid network.
    """
    try:
        networks = tuple(ipaddress.ip_network(network) for network in settings.briefing_networks)
    except ValueError as error:
        raise InvalidSettings(f"KOEBIN_BRIEFING_NETWORKS: {error}", "", "Write networks as 10.1.0.0/16") from error
    return Policy(
        hosts=settings.briefing_hosts,
        networks=networks,
        file_roots=tuple(expanded(folder) for folder in settings.briefing_files),
        commands=settings.briefing_commands,
        cache=expanded(settings.cache) / "briefings",
        store=settings.store_uri(),
    )


def check_files(settings: Settings, names: list[str], as_json: bool) -> None:
    """Print the findings for each file; exit code 2 if there is an error."""
    found = {path.name: _findings(path, settings) for path in _paths(settings, names)}
    if not names:
        for path, problem in load_folder(settings.briefings)[1].items():
            found[path.name] = found[path.name] or [BriefingFinding("error", "name", str(problem))]
    if as_json:
        say_json({name: [finding.as_json() for finding in findings] for name, findings in found.items()})
    else:
        for name, findings in found.items():
            say(f"{name}: ok" if not findings else f"{name}:")
            for each in findings:
                say(f"  {each.level}: {f'line {each.line}: ' if each.line else ''}{each.where}: {each.message}")
    if any(finding.level == "error" for findings in found.values() for finding in findings):
        raise typer.Exit(INVALID)


def preview_text(settings: Settings, name: str, at: str, as_json: bool) -> None:
    """Print the script."""
    briefing = _briefing(settings, name)
    due = _due(at, briefing)
    rendered = preview(briefing, due, policy_of(settings))
    if as_json:
        sources = [source.as_json() for source in rendered.sources]
        say_json({"briefing": briefing.name, "due": due.isoformat(), "text": rendered.text, "sources": sources})
        return
    say(rendered.text)
    for source in rendered.sources:
        problem = f": {source.problem}" if source.problem else ""
        note(f"{source.name} ({source.kind}): {source.origin}, {source.seconds:.2f} s{problem}")


def run_once(settings: Settings, name: str, at: str, wait: float | None, as_json: bool) -> None:
    """Run one due time: print the job, or with --wait the URIs; exit code 1 if it failed or took too long."""
    briefing = _briefing(settings, name)
    due = _due(at, briefing)
    jobs = Jobs(settings)
    try:
        progress = _progress(settings, jobs)
        if not progress.journal.add(tick_id(briefing.name, due)):
            note("this due time is known already and does not run a second time")
        tick = _advanced(progress, briefing, due, wait)
    finally:
        jobs.close()
    uris = json.loads(tick.entry)["uris"] if tick.entry else {}
    if as_json:
        state = {"state": tick.state, "error": tick.error, "uris": uris}
        say_json({"briefing": briefing.name, "due": due.isoformat(), "job": job_id(briefing, due), **state})
    else:
        for line in uris.values() or [job_id(briefing, due)]:
            say_result(line)
    _end(tick, wait)


def list_briefings(settings: Settings, as_json: bool) -> None:
    """Print a line per briefing; exit code 2 if a file does not load."""
    briefings, problems = load_folder(settings.briefings)
    last = Journal(_redis(settings)).last() if settings.broker_url.get_secret_value() else {}
    rows = [_row(briefing, last.get(briefing.name)) for briefing in briefings.values()]
    if as_json:
        say_json({"briefings": rows, "problems": {path.name: str(error) for path, error in problems.items()}})
    else:
        for row in rows:
            say(*(str(row[column]) for column in ("name", "crontab", "time_zone", "next", "speaker", "title")))
            if row["last"] and row["last"]["error"]:
                note(f"{row['name']}: {row['last']['due']}: {row['last']['error']}")
        for path, error in problems.items():
            note(f"{path.name}: {error}")
    if problems:
        raise typer.Exit(INVALID)


def list_ticks(settings: Settings, names: list[str], count: int, as_json: bool) -> None:
    """Print the next due times."""
    briefings = [load_briefing(path) for path in _paths(settings, names)]
    now = datetime.now(UTC)
    ticks = [(due, each) for each in briefings for due in next_ticks(each, now, count)]
    ticks.sort(key=lambda tick: (tick[0], tick[1].name))
    rows = [{"due": _local(due, each), "briefing": each.name, "job": job_id(each, due)} for due, each in ticks]
    if as_json:
        say_json(rows)
        return
    for row in rows:
        say(row["due"], row["briefing"])


def beat(settings: Settings) -> None:
    """Run until SIGTERM or SIGINT.

    Raises:
        ConfigurationError: no folder, no broker, or no place for temporary files.
    """
    if not settings.briefings.is_dir():
        raise ConfigurationError(
            "the folder of briefings does not exist", str(settings.briefings), "Set KOEBIN_BRIEFINGS"
        )
    set_up_logs(settings)
    redis, stop, jobs = _redis(settings), threading.Event(), Jobs(settings)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    try:
        with scratch():  # editions lie in files on their way
            run_beat(
                settings.briefings,
                redis,
                jobs.submit,
                jobs.follow,
                stop,
                policy=policy_of(settings),
                stores=jobs.open_store,
            )
    finally:
        jobs.close()


def _progress(settings: Settings, jobs: Jobs) -> Progress:
    policy, journal = policy_of(settings), Journal(_redis(settings))
    return Progress(
        journal,
        lambda briefing, due: compose(briefing, due, policy),
        jobs.submit,
        jobs.follow,
        jobs.open_store,
        journal.now,
    )


def _advanced(progress: Progress, briefing: Briefing, due: datetime, wait: float | None) -> Tick:
    """Take the tick to its end, or without --wait as far as submitted; a beat process may be faster."""
    name, journal = tick_id(briefing.name, due), progress.journal
    deadline = time.monotonic() + (_SUBMITTED_WITHIN if wait is None else wait)
    while True:
        with holding(journal, name, progress.lease_seconds, rest=0.2, limit=_SUBMITTED_WITHIN) as owner:
            if owner:
                progress.advance(name, owner, briefing)
        tick = journal.tick(name)
        if tick is None:
            raise InvalidBriefing("this due time is no longer in Redis", name, "Run it again")
        submitted = wait is None and tick.state is TickState.SUBMITTED
        if tick.state.ended or submitted or time.monotonic() > deadline:
            return tick
        time.sleep(0.25)


def _end(tick: Tick, wait: float | None) -> None:
    if tick.state is TickState.FAILED:
        note(f"error: {tick.error}")
        raise typer.Exit(FAILED)
    if tick.state is TickState.SUBMITTED and wait is None:
        note("submitted; a beat process will publish it (or use --wait)")
    elif tick.state is not TickState.PUBLISHED:
        note(f"error: not done in time, it is {tick.state}: {tick.error or 'a beat process goes on with it'}")
        raise typer.Exit(FAILED)


def _findings(path: Path, settings: Settings) -> list[BriefingFinding]:
    try:
        return check(load_briefing(path), datetime.now(UTC), policy_of(settings))
    except InvalidBriefing as error:
        return [
            BriefingFinding("error", "file", f"{error.what}: {error.value}" if error.value else error.what, error.line)
        ]


def _row(briefing: Briefing, last: dict[str, Any] | None) -> dict[str, Any]:
    due = next_ticks(briefing, datetime.now(UTC), 1)
    return {
        "name": briefing.name,
        "title": briefing.title,
        "crontab": briefing.when.crontab,
        "time_zone": briefing.when.time_zone,
        "next": _local(due[0], briefing) if due else "",
        "speaker": briefing.voice.speaker,
        "store": briefing.output.store,
        "last": last,
    }


def _paths(settings: Settings, names: list[str]) -> list[Path]:
    return [_path(settings, name) for name in names] or sorted(settings.briefings.glob("*.toml"))


def _path(settings: Settings, name: str) -> Path:
    """File as given, or the file of that name in the folder."""
    if name.endswith(".toml") or "/" in name:
        return Path(name)
    briefings, problems = load_folder(settings.briefings)
    if name in briefings:
        return briefings[name].path
    for path, problem in problems.items():
        if path.stem == name:
            raise problem
    near = nearest(name, briefings)
    hint = f"Did you mean {near[0]}?" if near else f"See the files in {settings.briefings}, or set KOEBIN_BRIEFINGS"
    raise InvalidBriefing("no briefing has this name", name, hint)


def _briefing(settings: Settings, name: str) -> Briefing:
    return load_briefing(_path(settings, name))


def _due(at: str, briefing: Briefing) -> datetime:
    if not at:
        return datetime.now(UTC).replace(microsecond=0)
    try:
        due = datetime.fromisoformat(at)
    except ValueError as error:
        raise InvalidBriefing("not a valid time", at, "Write it as 2026-11-23T07:00+09:00") from error
    zone = ZoneInfo(briefing.when.time_zone)
    return (due if due.tzinfo else due.replace(tzinfo=zone)).astimezone(UTC).replace(microsecond=0)


def _local(due: datetime, briefing: Briefing) -> str:
    return due.astimezone(ZoneInfo(briefing.when.time_zone)).isoformat()


def _redis(settings: Settings) -> Redis:
    url = settings.broker_url.get_secret_value()
    if not url:
        raise ConfigurationError("no broker is configured", "", "Set KOEBIN_BROKER_URL to redis://host:6379/0")
    redis = connect(url)
    check_broker(redis, settings.masked_broker())
    return redis
