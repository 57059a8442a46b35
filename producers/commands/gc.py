"""``koebin gc``: removal of everything past its retention."""

from __future__ import annotations

from typing import Annotated, Final

import typer

from koebin.engine.errors import InvalidOption
from koebin.producers.client import Client
from koebin.producers.commands.say import AsJson, StoreOption
from koebin.producers.commands.shared_options import given, store_argument
from koebin.producers.console import megabytes, messages_for_mistakes, note, say, say_json
from koebin.producers.time_spans import seconds
from koebin.tasks.jobs.garbage_collection import KINDS, Survey, remove, survey
from koebin.tasks.settings import load_settings

_SHORTEST_SECONDS: Final = 3600.0
_LONGEST_SECONDS: Final = 36_525 * 86_400.0
_SHOWN: Final = 20
_PLURALS: Final = {
    "job": "jobs",
    "segment": "segments",
    "dictionary": "dictionaries",
    "text": "texts",
    "piece": "pieces",
}


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("gc")(gc)


def gc(
    older_than: Annotated[str, typer.Option(help="Retention: 12h, 30d, 8w.")] = "30d",
    delete: Annotated[bool, typer.Option("--delete", help="Remove; without this option only show.")] = False,
    store: StoreOption = None,
    as_json: AsJson = False,
) -> None:
    """Show, and with --delete remove, everything past its retention; safe beside running jobs.

    Jobs that ended longer ago than the retention, and segments, dictionaries and single texts that are older and that
    no other job refers to.
    """
    with messages_for_mistakes():
        age = retention(older_than)
        with Client(settings=load_settings(**given(store=store_argument(store)))) as client:
            found = survey(client.store, client.redis, age)
            if not as_json:
                _show(found)
            count, size = remove(client.store, client.redis, found) if delete else (0, 0)
        if as_json:
            say_json(
                {
                    "store": client.store.uri,
                    "unneeded": {
                        kind: {"count": found.count(kind)[0], "bytes": found.count(kind)[1]} for kind in KINDS
                    },
                    "jobs": [one.name for one in found.unneeded if one.kind == "job"],
                    "kept": {"jobs": found.kept_jobs, "segments": found.kept_segments},
                    "unfinished": list(found.unfinished),
                    "removed": {"count": count, "bytes": size},
                }
            )
        elif delete:
            say(f"removed {count}, {megabytes(size)}")
        else:
            note("nothing was removed; use --delete to remove")


def retention(text: str) -> float:
    """Seconds of a retention, from an hour to a century.

    Raises:
        InvalidOption: not a duration, or not one of those.
    """
    try:
        found = seconds(text)
    except ValueError:
        found = 0.0
    if not _SHORTEST_SECONDS <= found <= _LONGEST_SECONDS:
        raise InvalidOption("not a valid retention", text, "Use 12h, 30d or 8w")
    return found


def _show(found: Survey) -> None:
    jobs = [one for one in found.unneeded if one.kind == "job"]
    for one in jobs[:_SHOWN]:
        say("job", one.name, megabytes(one.bytes))
    if len(jobs) > _SHOWN:
        say("job", f"… and {len(jobs) - _SHOWN} more")
    for kind in KINDS:
        count, size = found.count(kind)
        say(_PLURALS[kind], count, megabytes(size))
    say("kept", f"{found.kept_jobs} jobs, {found.kept_segments} segments")
    for job in found.unfinished:
        note(f"{job} has not ended, and Redis does not know it. To continue it, run: koebin resume {job}")
