"""Silence and pauses between sentences that were spoken one by one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from koebin.engine.audio.audio import Audio
from koebin.engine.audio.marks import Mark, Marks

KEPT_SECONDS: Final = 0.05
"""Seconds of a voice's own silence that stay beside a sound, which may fade into it."""


def sounding(marks: Marks) -> tuple[Mark, ...]:
    """Marks of what sounds; () for an audio that is silent throughout.

    The moras; of a voice that tells neither moras nor phones the words, of which it has one: its whole sound.
    """
    return marks.moras or (() if marks.phones else marks.words)


def silence_before(audio: Audio) -> float:
    """Seconds before the first sound; the whole length of an audio without one."""
    return marks[0].start if (marks := sounding(audio.marks)) else audio.duration_seconds


def silence_after(audio: Audio) -> float:
    """Seconds after the last sound; the whole length of an audio without one."""
    return audio.duration_seconds - (marks[-1].end if (marks := sounding(audio.marks)) else 0.0)


def shorten_end(audio: Audio, pause: float) -> Audio:
    """Audio with less silence at its end, to be followed by ``pause`` seconds and a sound with a little silence of its
    own.
    """
    wanted = max(pause - KEPT_SECONDS, KEPT_SECONDS) if sounding(audio.marks) else pause
    return cut_silence(audio, 0.0, max(0.0, silence_after(audio) - wanted))


def begin_after(before: Audio, audio: Audio, pause: float, *, cut: bool) -> Audio:
    """Audio to follow ``before``, so that ``pause`` seconds lie between their sounds.

    Silence is put at its head; if there is too much already, it is cut where ``cut`` allows it and left otherwise.
    """
    gap = pause - silence_after(before) - silence_before(audio)
    if gap >= 0.0:
        return with_head(audio, gap)
    if not cut:
        return audio
    kept = KEPT_SECONDS if sounding(audio.marks) else 0.0
    return cut_silence(audio, min(-gap, max(0.0, silence_before(audio) - kept)), 0.0)


def with_head(audio: Audio, seconds: float) -> Audio:
    """Audio with that much silence before it."""
    if seconds <= 0.0:
        return audio
    silence = Audio(audio.samples[:0], audio.sample_rate_hz)
    return Audio.joined([silence, audio], [seconds])


def cut_silence(audio: Audio, head: float, tail: float) -> Audio:
    """Audio without its first and last seconds, which must hold no mora."""
    first = round(head * audio.sample_rate_hz)
    last = len(audio) - round(tail * audio.sample_rate_hz)
    if (first, last) == (0, len(audio)):
        return audio
    marks = audio.marks.shifted(-first / audio.sample_rate_hz)
    return Audio(audio.samples[first:last], audio.sample_rate_hz, clip(marks, (last - first) / audio.sample_rate_hz))


def clip(marks: Marks, end: float) -> Marks:
    """What of the marks lies between 0 and ``end`` seconds; a mark of which nothing is left goes, but no sentence."""
    return Marks(*(_clipped(level, end) for level in marks.levels()))


def _clipped(level: Iterable[Mark], end: float) -> tuple[Mark, ...]:
    inside = (Mark(mark.text, max(0.0, mark.start), min(end, mark.end), mark.speaker) for mark in level)
    return tuple(mark for mark in inside if mark.start < mark.end or mark.speaker)
