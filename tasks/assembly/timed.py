"""Segments with times of their own, such as a film's subtitles: the silences that put each of them at its place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

from koebin.engine.audio.silence import KEPT_SECONDS
from koebin.tasks.assembly.block_boundaries import Placed
from koebin.tasks.segments import store as segments
from koebin.tasks.segments.joints import Ends
from koebin.tasks.stores.base import Store

_WITHIN_SECONDS: Final = 0.15
"""Longest pause between two sentences of one cue."""
_LATE_SECONDS: Final = 0.1
"""Nobody sees less."""


def is_timed(placed: Sequence[Placed]) -> bool:
    """Whether the segments have times of their own."""
    return any(segment.place.start is not None for segment in placed)


def on_time(store: Store, placed: Sequence[Placed]) -> tuple[list[Placed], list[dict[str, Any]]]:
    """The segments with the silences between them set by their times, and those that begin late.

    One that is longer than its time pushes the next one, which catches up in the first silence that follows. The track
    ends no earlier than its last cue.

    Returns:
        The segments, and ``{"line", "text", "start", "late_seconds"}`` of each that begins late.
    """
    timed: list[Placed] = []
    late: list[dict[str, Any]] = []
    voice_end, tail = 0.0, 0.0
    for segment in placed:
        ends, seconds = _ends(store, segment)
        wanted = segment.place.start
        if not timed:
            lead = max(0.0, (wanted or 0.0) - ends.before)
            begin = lead + ends.before
            segment = _with(segment, lead=lead)
        else:
            least = min(tail, KEPT_SECONDS) + min(ends.before, KEPT_SECONDS)
            pause = min(timed[-1].place.pause, _WITHIN_SECONDS) if wanted is None else max(0.0, wanted - voice_end)
            timed[-1] = _with(timed[-1], pause=pause)
            begin = voice_end + max(pause, least)
        if wanted is not None and begin - wanted > _LATE_SECONDS:
            late.append(
                {
                    "line": segment.place.line,
                    "text": segment.text,
                    "start": wanted,
                    "late_seconds": round(begin - wanted, 3),
                }
            )
        voice_end, tail = begin + seconds - ends.before - ends.after, ends.after
        timed.append(segment)
    if timed:
        timed[-1] = _with(timed[-1], pause=max(0.0, (timed[-1].place.end or 0.0) - voice_end - tail))
    return timed, late


def _ends(store: Store, segment: Placed) -> tuple[Ends, float]:
    marks, seconds = segments.read_timing(store, segment.key)
    return Ends.of(marks, seconds), seconds


def _with(segment: Placed, **changes: float) -> Placed:
    return replace(segment, place=segment.place.model_copy(update=changes))
