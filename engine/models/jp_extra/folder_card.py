"""Description of a voice's folder from its ``config.json``, also of one that cannot be spoken."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from koebin.engine.errors import InvalidCheckpoint
from koebin.engine.models.card import CardSpeaker, VoiceCard, read_card
from koebin.engine.models.jp_extra.aivm import JP_EXTRA
from koebin.engine.models.jp_extra.configuration import read_json
from koebin.engine.models.jp_extra.voice_format import CONFIGURATION

_OTHER: Final = "Style-Bert-VITS2 {}, not JP-Extra"
_MOST_SPEAKERS: Final = 64
"""A page shows no more; old multilingual networks name hundreds."""


def describe_folder(folder: Path) -> VoiceCard:
    """Card of a voice's folder; an empty one where its ``config.json`` is none.

    Its own card wins over what the configuration says: name, architecture, speakers and styles.
    """
    card = read_card(folder)
    try:
        config = _mapping(read_json(folder / CONFIGURATION))
    except (InvalidCheckpoint, FileNotFoundError):
        return card
    data = _mapping(config.get("data"))
    version = str(config.get("version", ""))
    return replace(
        card,
        name=card.name or str(config.get("model_name", "")),
        architecture=card.architecture or _architecture(version),
        speakers=card.speakers or _speakers(data),
    )


def _architecture(version: str) -> str:
    return JP_EXTRA if not version or version.endswith("JP-Extra") else _OTHER.format(version)


def _speakers(data: Mapping[str, Any]) -> tuple[CardSpeaker, ...]:
    styles = tuple(_rows(data.get("style2id")))
    rows = list(_rows(data.get("spk2id")))[:_MOST_SPEAKERS]
    return tuple(CardSpeaker(name, row, styles=styles) for name, row in sorted(rows, key=lambda found: found[1]))


def _rows(value: object) -> list[tuple[str, int]]:
    return [(str(name), row) for name, row in _mapping(value).items() if type(row) is int]


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
