"""``koebin status``, ``cancel``, ``resume``, ``jobs`` and ``events``."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from koebin.engine.display import json_text
from koebin.engine.errors import InvalidInput
from koebin.producers.client import Client
from koebin.producers.commands.say import AsJson, StoreOption
from koebin.producers.commands.shared_options import given, store_argument
from koebin.producers.console import describe, megabytes, messages_for_mistakes, note, say, say_json, say_result
from koebin.tasks.jobs.ledger import State
from koebin.tasks.settings import load_settings

Job = Annotated[str, typer.Argument(help="The job's id.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("status")(status)
    app.command("cancel")(cancel)
    app.command("resume")(resume)
    app.command("jobs")(jobs)
    app.command("events")(events)


def _client(store: str | None) -> Client:
    return Client(settings=load_settings(**given(store=store_argument(store))))


def status(
    job: Job,
    store: StoreOption = None,
    segments: Annotated[bool, typer.Option("--segments", help="Also count the bytes of its segments.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show the status of a job, what it waits for, and its size in the store."""
    with messages_for_mistakes(), _client(store) as client:
        found = client.status(job)
        outcome = client.outcome(job)
        own, shared = client.storage(job, with_segments=segments)
        if as_json:
            used = {"bytes": own, **({"segment_bytes": shared} if segments else {})}
            ended = outcome.model_dump(mode="json") if outcome else None
            say_json({**asdict(found), **used, "outcome": ended})
            return
        say(job, f"{found.progress:.0%}", describe(found))
        say("storage", megabytes(own) + (f", and {megabytes(shared)} of segments" if segments else ""))
        if found.webhook:
            say("webhook", found.webhook)
        if outcome is not None and outcome.result is not None:
            say_result(outcome.result.uri)
        if outcome is not None and outcome.error:
            note(outcome.error)
        for failure in outcome.failures if outcome else ():
            note(f"line {failure.line}: {failure.text}: {failure.reason}")


def cancel(job: Job, store: StoreOption = None) -> None:
    """Drop what is queued, stop what runs, assemble nothing; segments stay in the store."""
    with messages_for_mistakes(), _client(store) as client:
        say(job, client.cancel(job))


def resume(job: Job, store: StoreOption = None) -> None:
    """Enter a job that Redis has lost: from its manifest and its done chunks in the store."""
    with messages_for_mistakes(), _client(store) as client:
        entered = client.resume(job)
        note("entered again from the store" if entered else "nothing to do: Redis knows the job, or it has ended")
        say(job, describe(client.status(job)))


def jobs(
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="Maximum number of jobs.")] = 50,
    skip: Annotated[int, typer.Option(min=0, help="Pass over so many first: the next page.")] = 0,
    state: Annotated[str | None, typer.Option(help="Only jobs in this state, such as RUNNING.")] = None,
    as_json: AsJson = False,
) -> None:
    """List jobs: the live ones, then those that ended last."""
    with messages_for_mistakes(), _client(None) as client:
        found = client.jobs(limit, _state(state) if state else None, skip)
        if as_json:
            say_json([asdict(one) for one in found])
            return
        for one in found:
            say(one.job, one.state, f"{one.progress:.0%}", one.title)


def _state(name: str) -> State:
    if name.upper() not in State.__members__:
        raise InvalidInput("no such state", name, f"Use {', '.join(State).lower()}")
    return State[name.upper()]


def events(
    job: Job,
    json_lines: Annotated[bool, typer.Option("--json-lines", help="One JSON object per line, for programs.")] = False,
    timeout: Annotated[
        float | None, typer.Option(min=0.0, metavar="SECONDS", help="Stop following after this many seconds.")
    ] = None,
) -> None:
    """Follow the events of a job, from its beginning until it has ended."""
    with messages_for_mistakes(), _client(None) as client:
        client.status(job)
        for event in client.events(job, timeout):
            if json_lines:
                typer.echo(json_text(dict(event)))
            else:
                say(event["event"], *(f"{name}={event[name]}" for name in event if name != "event"))
