"""Content id of a spoken sentence: its hashed identity."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict

from koebin.engine.options import SynthesisOptions
from koebin.engine.reading import Reading


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
