"""Numbers of styles: they follow from the names alone, and stay the same on every machine."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Mapping
from typing import Final

from koebin.tasks.broker.fleet import ServedSpeaker

_SPEAKERS: Final = uuid.UUID("5d7a0f1e-6a53-4a0e-9c2f-3f6f0b0c7a11")
"""Namespace of the speakers' UUIDs."""


def style_id(speaker: str, style: str, attempt: int = 0) -> int:
    """31 bits of a hash of both names; another attempt gives another number."""
    text = f"{speaker}\n{style}" + (f"\n{attempt}" if attempt else "")
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big") & 0x7FFFFFFF


def style_ids(served: Mapping[str, ServedSpeaker]) -> dict[int, tuple[str, str]]:
    """Speaker and style of each number. Two names with the same number: the later one in the alphabet takes another."""
    found: dict[int, tuple[str, str]] = {}
    for speaker in sorted(served):
        for style in served[speaker].styles:
            attempt = 0
            while (number := style_id(speaker, style, attempt)) in found:
                attempt += 1
            found[number] = (speaker, style)
    return found


def speaker_uuid(speaker: str) -> str:
    """A UUID that follows from the name."""
    return str(uuid.uuid5(_SPEAKERS, speaker))
