"""``koebin dead list | show | redrive | forget``: dead letters and unreadable messages."""

from __future__ import annotations

from typing import Annotated

import typer

from koebin.engine.errors import InvalidOption
from koebin.producers.commands.say import AsJson, StoreOption
from koebin.producers.commands.shared_options import given, store_argument
from koebin.producers.console import describe, messages_for_mistakes, note, say, say_json
from koebin.tasks.settings import load_settings

app = typer.Typer(
    help="Dead letters (segments that could not be spoken) and unreadable messages.", no_args_is_help=True
)

Job = Annotated[str, typer.Argument(help="The job's id.")]


def register(root: typer.Typer) -> None:
    """Add the group."""
    root.add_typer(app, name="dead")


@app.command("list")
def list_dead(as_json: AsJson = False) -> None:
    """List the dead letters of all jobs, and unreadable messages."""
    from koebin.producers.client import Client

    with messages_for_mistakes(), Client(settings=load_settings()) as client:
        letters, messages = client.dead_letters(), client.unreadable_messages()
        if as_json:
            say_json({"segments": letters, "messages": messages})
            return
        for letter in letters:
            say(letter["job"], f"line {letter['line']}", letter["speaker"], letter["text"][:40], letter["reason"])
        for message in messages:
            say("(message)", message["reason"])
        if not letters and not messages:
            note("no dead letters and no unreadable messages")


@app.command("show")
def show(job: Job, as_json: AsJson = False) -> None:
    """Show a job's dead letters in full."""
    from koebin.producers.client import Client

    with messages_for_mistakes(), Client(settings=load_settings()) as client:
        letters = [letter for letter in client.dead_letters() if letter["job"] == job]
        if as_json:
            say_json(letters)
            return
        for letter in letters:
            for name, value in letter.items():
                say(f"{name}: {value}")
            say()


@app.command("redrive")
def redrive(job: Job, store: StoreOption = None) -> None:
    """Retry a job's dead segments: the job goes on, and stored segments stay."""
    from koebin.producers.client import Client

    settings = load_settings(**given(store=store_argument(store)))
    with messages_for_mistakes(), Client(settings=settings) as client:
        count = client.redrive(job)
        note("the job is retried" if count else "nothing to retry: the job neither failed nor has dead segments")
        say(job, describe(client.status(job)))


@app.command("forget")
def forget(
    job: Annotated[str, typer.Argument(help="The job's id.")] = "",
    messages: Annotated[bool, typer.Option("--messages", help="The unreadable messages.")] = False,
) -> None:
    """Remove a job's dead letters, or the unreadable messages, that were handled: alerts no longer count them."""
    from koebin.producers.client import Client

    with messages_for_mistakes(), Client(settings=load_settings()) as client:
        if bool(job) == messages:
            raise InvalidOption("give exactly one of JOB and --messages", "", "Give a job, or --messages")
        note(f"{client.remove_unreadable() if messages else client.remove_dead_letters(job)} removed")
