"""Pauses of a job after its sentences, paragraphs and chapters, in seconds.

They are chosen in this order: what the input says at that place, the options of the passage, and then the job's own
``koebin.tasks.contracts.Pauses``.

A job's pause after a sentence (0.35 s by default) and the engine's (0.3 s, ``koebin.engine.sentence_pauses``) are two
facts. The first is a promise: it is kept exactly, by every voice and at every speed. The second stands in for a voice
that cannot predict its pauses: it is divided by the speed, and silence that the voice leaves stays.
"""

from __future__ import annotations

from koebin.tasks.contracts import Pauses
from koebin.tasks.script import Passage


def pause_between(passage: Passage, pauses: Pauses) -> float:
    """Pause between two sentences of a passage, in seconds."""
    return pauses.sentence if passage.options.pause is None else passage.options.pause


def pause_after(passage: Passage, pauses: Pauses) -> float:
    """Pause after the last sentence of a passage, in seconds."""
    if passage.pause is not None:
        return passage.pause
    between = pause_between(passage, pauses)
    return {"span": 0.0, "sentence": between, "paragraph": pauses.paragraph, "chapter": pauses.chapter}[passage.ends]
