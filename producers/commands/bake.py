"""``koebin bake``: a folder with everything that a worker needs to speak offline."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from koebin.engine.errors import InvalidOption
from koebin.producers.commands.shared_options import given
from koebin.producers.console import messages_for_mistakes, note, say_json
from koebin.tasks.settings import Settings, load_settings


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("bake")(bake)


def bake(
    root: Annotated[Path, typer.Argument(help="Folder to create; an absolute path.")],
    speakers: Annotated[
        str | None,
        typer.Option(help="Comma-separated NAME or NAME=URI of its voice.", show_default="KOEBIN_SPEAKERS"),
    ] = None,
    device: Annotated[str | None, typer.Option(help="cpu or cuda.", show_default="KOEBIN_DEVICE")] = None,
    token_file: Annotated[
        Path | None, typer.Option(help="File with the hub's token.", show_default="KOEBIN_HF_TOKEN")
    ] = None,
    check: Annotated[bool, typer.Option("--check", help="Only verify the folder against its lock file.")] = False,
) -> None:
    """Fetch voices, prepare them, speak with each and lock the folder: for images that start without a network.

    A worker uses it with KOEBIN_CACHE=ROOT and KOEBIN_VOICES=ROOT/voices.toml.
    """
    with messages_for_mistakes():
        if check:
            from koebin.engine.bake import check_baked

            say_json(check_baked(root)["speakers"])
            return
        settings = load_settings(**given(speakers=speakers, device=device))
        from koebin.engine.bake import bake as make
        from koebin.worker.requested_voices import voices

        lock = make(
            {voice.name: voice.source for voice in voices(settings)},
            root,
            replace(settings.source_options(), hub_token=_token(settings, token_file)),
            bert_source=settings.bert,
            device=settings.device,
        )
        if not lock["verified"]:
            note(f"not tested: this machine has no {settings.device}")
        say_json(lock["speakers"])


def _token(settings: Settings, file: Path | None) -> str:
    if file is None:
        return settings.hf_token.get_secret_value()
    try:
        return file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidOption("the token's file cannot be read", str(file)) from error
