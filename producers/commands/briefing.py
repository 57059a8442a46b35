"""Command line of briefings: ``koebin briefing check | preview | run | list | next`` and ``koebin beat``.

What the commands need is imported when one of them runs: the other commands work without the ``briefings`` extra.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from koebin.engine.errors import BackendMissing
from koebin.producers.commands.shared_options import given
from koebin.producers.console import messages_for_mistakes
from koebin.tasks.settings import Settings, load_settings

app = typer.Typer(name="briefing", no_args_is_help=True, help="Briefings: composed from sources, spoken on a schedule.")

_Names = Annotated[list[str] | None, typer.Argument(help="Names or files; without any, all of the folder.")]
_Name = Annotated[str, typer.Argument(help="Name of a briefing, or its file.")]
_Folder = Annotated[Path | None, typer.Option("--folder", help="Folder of briefing files; KOEBIN_BRIEFINGS.")]
_Json = Annotated[bool, typer.Option("--json", help="One JSON document instead of lines.")]
_At = Annotated[str, typer.Option("--at", help="Due time, such as 2026-11-23T07:00+09:00; default: now.")]
_Count = Annotated[int, typer.Option("--count", "-n", min=1, max=1000, help="Number of due times per briefing.")]
_Wait = Annotated[float | None, typer.Option("--wait", min=0.0, help="Wait up to this many seconds, and publish.")]


@app.command()
def check(names: _Names = None, folder: _Folder = None, as_json: _Json = False) -> None:
    """Check briefing files, without fetching or submitting anything; exit code 2 if there is an error."""
    with _commands(folder) as (commands, settings):
        commands.check_files(settings, names or [], as_json)


@app.command()
def preview(name: _Name, at: _At = "", folder: _Folder = None, as_json: _Json = False) -> None:
    """Fetch the sources and print the text that would be spoken; the state of each source goes to standard error."""
    with _commands(folder) as (commands, settings):
        commands.preview_text(settings, name, at, as_json)


@app.command()
def run(name: _Name, at: _At = "", wait: _Wait = None, folder: _Folder = None, as_json: _Json = False) -> None:
    """Run a briefing now, or for a missed due time. One due time runs once, whoever starts it."""
    with _commands(folder) as (commands, settings):
        commands.run_once(settings, name, at, wait, as_json)


@app.command("list")
def list_(folder: _Folder = None, as_json: _Json = False) -> None:
    """List the briefings with their schedules, and with their last outcome if a broker is configured."""
    with _commands(folder) as (commands, settings):
        commands.list_briefings(settings, as_json)


@app.command("next")
def next_(names: _Names = None, count: _Count = 5, folder: _Folder = None, as_json: _Json = False) -> None:
    """Print the next due times, soonest first."""
    with _commands(folder) as (commands, settings):
        commands.list_ticks(settings, names or [], count, as_json)


def beat(folder: _Folder = None) -> None:
    """Run the briefings of a folder on schedule, and publish them. Any number of these processes may run at once."""
    with _commands(folder) as (commands, settings):
        commands.beat(settings)


@contextmanager
def _commands(folder: Path | None) -> Iterator[tuple[Any, Settings]]:
    with messages_for_mistakes():
        try:
            from koebin.producers.commands import briefing_actions as commands
        except ModuleNotFoundError as error:
            raise BackendMissing(
                f"{error.name} is not installed", "", "Run: pip install 'koebin[briefings]'"
            ) from error
        yield commands, load_settings(**given(briefings=folder))
