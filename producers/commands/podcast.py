"""``koebin podcast``: the feed of a finished narration."""

from __future__ import annotations

from typing import Annotated

import typer

from koebin.producers.commands.say import StoreOption
from koebin.producers.commands.shared_options import given, store_argument
from koebin.producers.console import messages_for_mistakes, say_result
from koebin.producers.publishing.narration import publish_narration
from koebin.tasks.settings import load_settings
from koebin.tasks.stores.uri import open_store


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("podcast")(podcast)


def podcast(
    job: Annotated[str, typer.Argument(help="Id of a finished job.")],
    base_url: Annotated[str, typer.Option("--base-url", help="Public address of the job's folder of files.")],
    title: Annotated[str, typer.Option(help="Title of the podcast, instead of the book's.")] = "",
    image: Annotated[str, typer.Option(help="Address of a square picture, instead of the cover's.")] = "",
    store: StoreOption = None,
) -> None:
    """Write a podcast feed beside the files of a narration: each chapter's file is an episode. Needs no broker."""
    with messages_for_mistakes():
        settings = load_settings(**given(store=store_argument(store)))
        opened = open_store(settings.store_uri(), options=settings.store_options())
        say_result(publish_narration(opened, job, base_url, title=title, image=image))
