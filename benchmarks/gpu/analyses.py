"""Front-end output of a book as JSON, and a stand-in for the front end where its dictionary is not installed."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from koebin.engine.text import frontend
from koebin.engine.text.analysis import Analysis, Node

Analyses = dict[str, list[Analysis]]
"""Analyses: of the utterances of each sentence."""


def write_analyses(path: Path, sentences: Sequence[str]) -> None:
    """Read the sentences and keep the outcome."""
    read = {sentence: [_as_json(each) for each in frontend.analyze_utterances(sentence)] for sentence in sentences}
    path.write_text(json.dumps(read, ensure_ascii=False) + "\n", "utf-8")


def read_analyses(path: Path) -> Analyses:
    """What ``write_analyses`` kept."""
    read = json.loads(path.read_text("utf-8"))
    return {sentence: [_from_json(each) for each in utterances] for sentence, utterances in read.items()}


def stand_in(analyses: Analyses) -> None:
    """Let the front end of this process answer from the analyses."""

    def analyze_utterances(text: str, **_options: object) -> list[Analysis]:
        return analyses[text]

    replacement: Callable[..., list[Analysis]] = analyze_utterances
    frontend.analyze_utterances = replacement


def _as_json(analysis: Analysis) -> dict[str, Any]:
    return {"text": analysis.text, "norm": analysis.norm, "nodes": analysis.nodes, "labels": analysis.labels}


def _from_json(read: dict[str, Any]) -> Analysis:
    nodes = tuple(Node(*node) for node in read["nodes"])
    return Analysis(read["text"], read["norm"], nodes, partial(tuple, read["labels"]))
