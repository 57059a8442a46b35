"""A voice's own description: who it is, who made it, and under which licence it may be used."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol, runtime_checkable

from koebin.engine.limits import AIVM_MANIFEST_BYTES

CARD: Final = "voice_card.json"
"""Lies beside the files of a voice that has one."""
_TITLE_CHARS: Final = 120


@dataclass(frozen=True, slots=True)
class CardSpeaker:
    """A speaker inside of a voice.

    Attributes:
        row: of the speaker embedding, ``SynthesisOptions.speaker_id``.
        styles: names and rows.
    """

    name: str
    row: int
    uuid: str = ""
    styles: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True)
class VoiceCard:
    """What the maker of a voice says of it; "" where nothing is said.

    Attributes:
        name: display name, in any script.
        licence: in full, Markdown or plain text.
        source: address without credentials.
    """

    name: str = ""
    description: str = ""
    creators: tuple[str, ...] = ()
    licence: str = ""
    architecture: str = ""
    uuid: str = ""
    version: str = ""
    speakers: tuple[CardSpeaker, ...] = field(default=())

    @property
    def licence_title(self) -> str:
        """The licence's first line, short enough for a table and a tag."""
        lines = (line.strip(" #*_`>-\t") for line in self.licence.splitlines())
        return next((line for line in lines if line), "")[:_TITLE_CHARS]

    def to_json(self) -> str:
        return json.dumps({"format": 1, **asdict(self)}, ensure_ascii=False, indent=1) + "\n"

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> VoiceCard:
        """What ``to_json`` wrote; unknown fields are passed over.

        Raises:
            TypeError, ValueError, KeyError: it is something else.
        """
        speakers = tuple(
            CardSpeaker(
                str(speaker["name"]),
                int(speaker["row"]),
                str(speaker.get("uuid", "")),
                tuple((str(name), int(row)) for name, row in speaker.get("styles", ())),
            )
            for speaker in raw.get("speakers", ())
        )
        texts = ("name", "description", "licence", "architecture", "uuid", "version")
        creators = tuple(str(creator) for creator in raw.get("creators", ()))
        return cls(**{name: str(raw.get(name, "")) for name in texts}, creators=creators, speakers=speakers)


def read_card(folder: Path) -> VoiceCard:
    """The card of a voice's folder; an empty one where there is none, or none that can be read."""
    try:
        with (folder / CARD).open("rb") as file:
            return VoiceCard.from_json(json.loads(file.read(AIVM_MANIFEST_BYTES)))
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return VoiceCard()


@runtime_checkable
class DescribedModel(Protocol):
    """A model whose voice has a card."""

    @property
    def card(self) -> VoiceCard: ...


def card_of(model: object) -> VoiceCard:
    """The card of a model's voice; an empty one where it has none."""
    return model.card if isinstance(model, DescribedModel) else VoiceCard()
