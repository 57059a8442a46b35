"""Speakers and voice sources of a worker, from ``--speakers`` and the voices file."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from koebin.engine.checked_names import check_speaker
from koebin.engine.display import mask
from koebin.engine.errors import InvalidSettings
from koebin.tasks.settings import Settings

_FORM: Final = 'Write a table [voices] with lines of the form name = "uri", or name = {uri = "…", display_name = "…"}'
_LONGEST_NAME: Final = 80


@dataclass(frozen=True, slots=True)
class RequestedVoice:
    """A speaker and the URI of its voice; None for a built-in or default voice.

    Attributes:
        display_name: for people, in any script; "" leaves it to the voice.
    """

    name: str
    source: str | None
    display_name: str = ""


def voices(settings: Settings) -> tuple[RequestedVoice, ...]:
    """Requested speakers, each with the source from ``--speakers name=uri`` or the voices file.

    Raises:
        InvalidSettings: the file cannot be read or has another form.
        InvalidName: not a valid name of a speaker.
    """
    table = _table(settings.voices) if settings.voices else {}
    found: dict[str, RequestedVoice] = {}
    for entry in settings.speakers:
        name, separator, source = entry.partition("=")
        check_speaker(mask(name) if "://" in name else name)  # a URL in the wrong place may hold a password
        known = table.get(name, RequestedVoice(name, None))
        found[name] = replace(known, source=source) if separator else known
    return tuple(found.values())


def _table(path: Path) -> dict[str, RequestedVoice]:
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InvalidSettings("the voices file cannot be read", str(path), str(error)) from error
    table = document.get("voices", {})
    if not isinstance(table, dict):
        raise InvalidSettings("the voices file has no table of names and URIs", str(path), _FORM)
    return {check_speaker(name): _voice(name, value, path) for name, value in table.items()}


def _voice(name: str, value: object, path: Path) -> RequestedVoice:
    """A line of the table: a URI, or a table with a URI and a display name."""
    fields = {"uri": value} if isinstance(value, str) else value
    if not isinstance(fields, dict) or fields.keys() - {"uri", "display_name"}:
        raise InvalidSettings("the voices file has no table of names and URIs", f"{path}: {name}", _FORM)
    source, display_name = fields.get("uri"), fields.get("display_name", "")
    if not isinstance(source, str | None) or not isinstance(display_name, str):
        raise InvalidSettings("the voices file has no table of names and URIs", f"{path}: {name}", _FORM)
    if len(display_name) > _LONGEST_NAME or not display_name.isprintable():
        what = f"a display name is longer than {_LONGEST_NAME} characters, or not printable"
        raise InvalidSettings(what, f"{path}: {name}")
    return RequestedVoice(name, source, display_name)
