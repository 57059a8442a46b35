"""Seeds of the noise, which make a sentence's bytes the same on every try."""

from __future__ import annotations

import hashlib


def utterance_seed(content: str, index: int) -> int:
    """128-bit seed of the ``index``-th utterance of the sentence with that content id."""
    return int.from_bytes(hashlib.sha256(f"{content}/{index}".encode()).digest()[:16], "big")
