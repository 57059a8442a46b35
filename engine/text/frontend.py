"""From a user's text to words, readings, accents and labels."""

from __future__ import annotations

import hashlib
import importlib.metadata
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from engine.content import Reading
from engine.text.analysis import Analysis, Node
from engine.text.openjtalk import Feature, make_label, run_frontend

if TYPE_CHECKING:
    from engine.text.dictionary import Dictionary

NORMALIZER_VERSION: Final = 1
"""Raise it with every change of this package that changes phones, tones or labels."""

_DECIDING_PACKAGES: Final = ("pyopenjtalk-plus", "kanalizer", "SudachiPy", "SudachiDict-core")


def front_end_revision() -> str:
    """Changes whenever a text may be read differently. Loads nothing."""
    parts = [f"koebin {NORMALIZER_VERSION}"]
    for package in _DECIDING_PACKAGES:
        try:
            parts.append(f"{package} {importlib.metadata.version(package)}")
        except importlib.metadata.PackageNotFoundError:
            parts.append(f"{package} none")
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def analyze(text: str, *, readings: Sequence[Reading] = (), dictionary: Dictionary | None = None) -> Analysis:
    """Read one sentence."""
    norm = text
    features = run_frontend(norm, dictionary)
    return Analysis(text, norm, tuple(map(_node, features)), tuple(make_label(features)))


def analyze_utterances(
    text: str, readings: Sequence[Reading] = (), dictionary: Dictionary | None = None, limit: int = 200
) -> list[Analysis]:
    """Read one sentence, cut into parts of about ``limit`` characters."""
    return [analyze(text, readings=readings, dictionary=dictionary)]


def _node(feature: Feature) -> Node:
    return Node(feature["string"], feature["pron"], feature["pos"])
