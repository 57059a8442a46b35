"""``koebin worker`` and ``koebin health``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from koebin.producers.commands.shared_options import given
from koebin.producers.console import messages_for_mistakes, note, say
from koebin.producers.exits import FAILED
from koebin.tasks.settings import load_settings


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("worker")(worker)
    app.command("health")(health)


def worker(
    speakers: Annotated[
        str | None,
        typer.Option(help="Comma-separated NAME or NAME=URI of its voice.", show_default="KOEBIN_SPEAKERS"),
    ] = None,
    assemble: Annotated[
        bool | None, typer.Option("--assemble/--no-assemble", help="Also assemble finished jobs.")
    ] = None,
    device: Annotated[str | None, typer.Option(help="cpu, cuda or cuda:N.", show_default="KOEBIN_DEVICE")] = None,
    name: Annotated[str, typer.Option(help="Name in logs and in `koebin speakers`.")] = "",
) -> None:
    """Serve speakers until stopped (SIGTERM finishes the work in progress or gives it back).

    Exit codes: 0 stopped, 70 the engine cannot be built, 75 no longer consuming; others as for every command.
    """
    with messages_for_mistakes():
        settings = load_settings(**given(speakers=speakers, assemble=assemble, device=device))
        from koebin.worker.run import run_worker

        code = run_worker(settings, name)
    raise typer.Exit(code)


def health(
    live: Annotated[bool, typer.Option("--live", help="Check only liveness.")] = False,
    run_dir: Annotated[
        Path | None, typer.Option(help="Folder of the workers' state.", show_default="KOEBIN_RUN_DIR")
    ] = None,
) -> None:
    """Show the health of this machine's workers: exit code 0 if all are ready (--live: alive), else 1."""
    with messages_for_mistakes():
        from koebin.worker.parent.health import read_health

        found = read_health(run_dir or load_settings().run_folder())
        for one in found:
            say("ready" if one.ready else "live" if one.live else "dead", one.worker, one.detail)
        if not found:
            note("no worker on this machine has reported its health")
        good = bool(found) and all(one.live if live else one.ready for one in found)
    raise typer.Exit(0 if good else FAILED)
