"""Marks and pauses from the network's durations, for both back ends of JP-Extra."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from koebin.engine.audio.marks import Mark, Marks
from koebin.engine.text.prosody import Phonemes, Span
from koebin.engine.text.symbols import BLANK, PUNCTUATION

IntArray = NDArray[np.int64]
_SILENT: Final = PUNCTUATION | {BLANK}


def frames_per_phone(durations: IntArray, phones: int) -> IntArray:
    """Frames per phone, with the blanks' frames folded in.

    A blank continues the phone before it; the first one has none and belongs to the phone after it.

    Args:
        durations: shape (phones,) without blanks, or (2 * phones + 1,) with them.

    Returns:
        Shape (phones,); the sum stays.
    """
    if len(durations) == phones:
        return durations
    folded = durations[1::2] + durations[2::2]
    folded[0] += durations[0]
    return folded


def marks_of(phonemes: Phonemes, durations: IntArray, frame_seconds: float, seconds: float) -> Marks:
    """Timings of one utterance.

    Args:
        phonemes: of the utterance.
        durations: frames, as ``frames_per_phone`` takes them.
        frame_seconds: length of a frame.
        seconds: length of the audio, where the last phone ends.
    """
    frames = frames_per_phone(durations, len(phonemes.phones))
    edges = np.concatenate([[0], np.cumsum(frames)]) * frame_seconds
    edges[-1] = seconds

    def mark(span: Span) -> Mark:
        return Mark(span.text, float(edges[span.start]), float(edges[span.end]))

    return Marks(
        words=tuple(map(mark, phonemes.word_spans())),
        moras=tuple(map(mark, phonemes.mora_spans())),
        phones=tuple(mark(Span(phone, index, index + 1)) for index, phone in enumerate(phonemes.phones)),
    )


def boundary(first: Phonemes, second: Phonemes) -> tuple[int, int] | None:
    """Phones between two sentences spoken in one breath.

    Returns:
        In ``koebin.engine.text.prosody.join`` of the two, the last spoken phone of ``first`` and the first spoken one
        of ``second``; None if either has none.
    """
    spoken = [index for index, phone in enumerate(first.phones) if phone not in _SILENT]
    following = [index for index, phone in enumerate(second.phones) if phone not in _SILENT]
    if not (spoken and following):
        return None
    return spoken[-1], len(first.phones) - 2 + following[0]


def frames_between(durations: IntArray, phones: int, ends: tuple[int, int]) -> int:
    """Frames after one phone and before a later one: of all marks between them, and of the blanks about those.

    Args:
        durations: frames, with or without blanks, of ``phones`` phones.
        ends: as ``boundary`` gives them.
    """
    last, following = ends
    if len(durations) == phones:
        return int(durations[last + 1 : following].sum())
    return int(durations[2 * last + 2 : 2 * following + 1].sum())
