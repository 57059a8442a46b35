"""Speakers and voice sources of a worker, from ``--speakers`` and the voices file."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path

from koebin.engine.errors import InvalidSettings
from koebin.engine.names import check_speaker
from koebin.tasks.redis_keys import ASSEMBLE_QUEUE, speaker_queue
from koebin.tasks.settings import Settings, mask


@dataclass(frozen=True, slots=True)
class Voice:
    """A speaker and the URI of its voice; None for a built-in or default voice."""

    name: str
    source: str | None


def voices(settings: Settings) -> tuple[Voice, ...]:
    """Requested speakers, each with the source from ``--speakers name=uri`` or the voices file.

    Raises:
        InvalidSettings: the file cannot be read or has another form.
        InvalidName: not a valid name of a speaker.
    """
    table = _table(settings.voices) if settings.voices else {}
    found: dict[str, Voice] = {}
    for entry in settings.speakers:
        name, separator, source = entry.partition("=")
        check_speaker(mask(name) if "://" in name else name)  # a URL in the wrong place may hold a password
        found[name] = Voice(name, source if separator else table.get(name))
    return tuple(found.values())


def queues(settings: Settings) -> tuple[str, ...]:
    """Queues that a worker consumes. Raises: as ``voices``."""
    speakers = tuple(speaker_queue(voice.name) for voice in voices(settings))
    return (*speakers, ASSEMBLE_QUEUE) if settings.assemble else speakers


def _table(path: Path) -> dict[str, str]:
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InvalidSettings("the voices file cannot be read", str(path), str(error)) from error
    table = document.get("voices", {})
    if not isinstance(table, dict) or not all(isinstance(uri, str) for uri in table.values()):
        raise InvalidSettings(
            "the voices file has no table of names and URIs",
            str(path),
            'Write a table [voices] with lines of the form name = "uri"',
        )
    return {check_speaker(name): uri for name, uri in table.items()}
