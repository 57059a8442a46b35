"""From the network's durations to marks and pauses; both back ends of JP-Extra use it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from engine.marks import Mark, Marks

IntArray = NDArray[np.int64]
Span = tuple[str, int, int]
"""A text, the first of its phones, and the phone after its last one."""

SILENT: Final = frozenset("_!?…,.'-") | {"SP", "UNK"}
"""Symbols that are no sound of speech."""


def frames_per_phone(durations: IntArray, phones: int) -> IntArray:
    """Fold the blanks' frames into the phones.

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


def marks_of(
    phones: Sequence[str],
    words: Iterable[Span],
    moras: Iterable[Span],
    durations: IntArray,
    frame_seconds: float,
    seconds: float,
) -> Marks:
    """Timings of one utterance.

    Args:
        phones: without blanks, ``_`` at both ends.
        words, moras: spans of ``phones``; those without a phone are left out.
        durations: frames, as ``frames_per_phone`` takes them.
        frame_seconds: length of a frame.
        seconds: length of the audio, where the last phone ends.
    """
    edges = np.concatenate([[0], np.cumsum(frames_per_phone(durations, len(phones)))]) * frame_seconds
    edges[-1] = seconds

    def mark(span: Span) -> Mark:
        text, start, end = span
        return Mark(text, float(edges[start]), float(edges[end]))

    return Marks(
        words=tuple(mark(word) for word in words if word[1] < word[2]),
        moras=tuple(mark(mora) for mora in moras if mora[1] < mora[2]),
        phones=tuple(mark((phone, index, index + 1)) for index, phone in enumerate(phones)),
    )


def boundary(first: Sequence[str], second: Sequence[str]) -> tuple[int, int] | None:
    """The phones between two sentences spoken in one breath.

    The sentences are joined without the ``_`` where they meet: ``[*first[:-1], *second[1:]]``.

    Args:
        first, second: phones of each, without blanks, ``_`` at both ends.

    Returns:
        In the joined phones, the last spoken one of ``first`` and the first spoken one of ``second``; None if either
        has none.
    """
    spoken = [index for index, phone in enumerate(first) if phone not in SILENT]
    following = [index for index, phone in enumerate(second) if phone not in SILENT]
    if not (spoken and following):
        return None
    return spoken[-1], len(first) - 2 + following[0]


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
