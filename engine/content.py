"""Content id of a spoken sentence: its hashed identity, and the seed of its noise."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from koebin.engine.errors import InvalidOption
from koebin.engine.options import SynthesisOptions


@dataclass(frozen=True, slots=True)
class Reading:
    """Given reading of a span of a text.

    Attributes:
        start, end: the span in the text, in characters, end excluded.
        kana: katakana, hiragana is accepted and folded. A reading of a whole sentence may hold several accent phrases:
            ``コンニチワ、セ'カイ/ノ/ミナ'サン`` (``'`` after the mora where the pitch falls, ``/`` between phrases).
        accent: mora after which the pitch falls (0 flat), None lets the front end decide.
    """

    start: int
    end: int
    kana: str
    accent: int | None = None

    def __post_init__(self) -> None:
        for name, kind in (("start", int), ("end", int), ("kana", str), ("accent", (int, type(None)))):
            if not isinstance(getattr(self, name), kind):
                raise InvalidOption(f"a reading's {name} is of a wrong type", repr(getattr(self, name)))
        if not 0 <= self.start < self.end:
            raise InvalidOption("a reading's span is empty or reversed", f"{self.start}:{self.end}")


def canonical_json(value: object) -> bytes:
    """Canonical JSON for hashing: sorted keys, no spaces, UTF-8, no NaN."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


def content_id(
    text: str,
    speaker: str,
    options: SynthesisOptions,
    readings: Sequence[Reading] = (),
    dictionary_revision: str = "",
) -> str:
    """SHA-256 (hex) of everything that a user decides about one sentence; it seeds the noise.

    The model and engine revisions are left out on purpose: a CPU and a GPU, and two builds of a voice, take the same
    noise for the same sentence.
    """
    return hashlib.sha256(
        canonical_json(
            {
                "text": text,
                "speaker": speaker,
                "options": options.content(),
                "readings": [asdict(reading) for reading in sorted(readings, key=lambda reading: reading.start)],
                "dictionary": dictionary_revision,
            }
        )
    ).hexdigest()
