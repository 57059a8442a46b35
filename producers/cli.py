"""``koebin`` command: options and subcommands."""

from __future__ import annotations

import importlib.metadata
from typing import Annotated

import typer

from koebin.producers.commands import (
    backlog,
    bake,
    check,
    dead,
    export,
    gc,
    jobs,
    podcast,
    voices,
)
from koebin.producers.commands import briefing as briefings
from koebin.producers.commands import (
    doctor as diagnosis,
)
from koebin.producers.commands import (
    narrate as narration,
)
from koebin.producers.commands import (
    say as speech,
)
from koebin.producers.commands import (
    serve as doors,
)
from koebin.producers.commands import (
    worker as workers,
)

app = typer.Typer(
    name="koebin",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="Japanese speech synthesis through a queue: text goes in, finished audio comes back as a URI.",
    epilog="Settings come from KOEBIN_* variables: see docs/configuration.md. "
    "Exit codes: 0 done, 1 failed, 2 refused, 3 broker or store unavailable, 4 not found or not served, 5 partial, "
    "6 parts are silent, 130 interrupted. "
    'Examples: koebin say "こんにちは。" -o hello.wav;  koebin narrate book.txt --format mp3;  '
    "koebin worker --speakers mei,ken --assemble",
)


def _version(value: bool) -> None:
    if value:
        typer.echo(importlib.metadata.version("koebin"))
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Options of every command."""


speech.register(app)
narration.register(app)
check.register(app)
gc.register(app)
workers.register(app)
doors.register(app)
jobs.register(app)
dead.register(app)
export.register(app)
podcast.register(app)
diagnosis.register(app)
bake.register(app)
voices.register(app)
backlog.register(app)
app.add_typer(briefings.app, name="briefing")
app.command("beat")(briefings.beat)


def main() -> None:
    """Entry point."""
    app()
