"""Until engine.text.frontend is there."""

from __future__ import annotations

from typing import Any

from engine.text.analysis import Analysis, Node


def analyze(text: str, *, readings: Any = (), dictionary: Any = None) -> Analysis:
    import pyopenjtalk

    words = pyopenjtalk.run_frontend(text)
    labels = pyopenjtalk.make_label(words)
    return Analysis(text, text, tuple(Node(w["string"], w["pron"], w["pos"]) for w in words), tuple(labels))


def analyze_utterances(text: str, *, readings: Any = (), dictionary: Any = None) -> list[Analysis]:
    from engine.text.sentences import split_long

    return [analyze(part) for part in split_long(text)]
