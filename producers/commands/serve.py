"""``koebin serve``: the HTTP door."""

from __future__ import annotations

import re
from typing import Annotated

import typer

from koebin.engine.errors import InvalidName
from koebin.producers.commands.say import StoreOption
from koebin.producers.commands.shared_options import given, store_argument
from koebin.producers.console import messages_for_mistakes, note, say
from koebin.tasks.settings import load_settings


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("serve")(serve)


def serve(
    host: Annotated[
        str | None, typer.Option(help="Address to listen on.", show_default="KOEBIN_HTTP_HOST, else 127.0.0.1")
    ] = None,
    port: Annotated[
        int | None, typer.Option(help="Port to listen on.", show_default="KOEBIN_HTTP_PORT, else 8080")
    ] = None,
    store: StoreOption = None,
    new_key: Annotated[
        str | None, typer.Option("--new-key", metavar="NAME", help="Make a key, say what to write into the file, end.")
    ] = None,
) -> None:
    """Serve OpenAI's and VOICEVOX's HTTP interfaces, jobs and a page; workers speak. Needs the extra http.

    Without KOEBIN_HTTP_KEYS it listens to this machine alone.
    """
    with messages_for_mistakes():
        if new_key is not None:
            _make_key(new_key)
            return
        settings = load_settings(**given(http_host=host, http_port=port, store=store_argument(store)))
        from koebin.producers.http.serve import serve as run
        from koebin.worker.logs import set_up_logs

        set_up_logs(settings)
        run(settings)


def _make_key(name: str) -> None:
    from koebin.producers.http.api_keys import NAME, digest, new_token

    if not re.fullmatch(NAME, name):
        raise InvalidName("not the name of a key", name, "Use 1 to 32 of a-z 0-9 - and begin with a letter or a digit")
    token = new_token()
    note("Give this key to its holder; it is not shown again. Write the rest into the file of KOEBIN_HTTP_KEYS:")
    say(token)
    say()
    say(f"[keys.{name}]")
    say(f'sha256 = "{digest(token)}"')
