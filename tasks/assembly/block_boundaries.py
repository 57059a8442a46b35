"""Division of a job's programme into blocks, such that a changed sentence changes its own block and one neighbour at
most.

A block ends where the key of its last segment says so, as content-defined chunking does: what is inserted or changed
elsewhere moves no boundary. How two segments meet depends on both of them, so a block is identified by its segments, by
those beside it, and by the pauses between them: all this is known before anything is read.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Final

from koebin.engine.audio.silence import clip
from koebin.engine.content_id import canonical_json
from koebin.engine.reading import Reading
from koebin.tasks.assembly.programme import Block, Part, Place
from koebin.tasks.contracts import Placement
from koebin.tasks.jobs.planning import SECONDS_PER_CHARACTER
from koebin.tasks.segments import store as segments
from koebin.tasks.segments.joints import Ends, joints
from koebin.tasks.stores.base import Store

MEAN_SECONDS: Final = 30.0
LONGEST_SECONDS: Final = 60.0
_DIGITS: Final = 8


@dataclass(frozen=True, slots=True)
class Placed:
    """Segment of a job at its place: enough to fetch it."""

    key: str
    speaker: str
    text: str
    place: Placement
    readings: tuple[Reading, ...] = ()


def cut(store: Store, placed: Sequence[Placed], titles: Sequence[str]) -> list[Block]:
    """Blocks of a programme, each within one chapter.

    Args:
        placed: in reading order.
        titles: of the chapters.
    """
    named = any(segment.place.name for segment in placed)
    places = [_place(segment, titles, named=named) for segment in placed]
    bounds = [0, *_ends(placed)]
    return [_block(store, placed, places, first, last) for first, last in pairwise(bounds)]


def _ends(placed: Sequence[Placed]) -> Iterator[int]:
    """Indices of the segments that end a block."""
    seconds = 0.0
    for index, segment in enumerate(placed, start=1):
        own = len(segment.text) * SECONDS_PER_CHARACTER
        seconds += own
        # Longer segments end a block more often, so that a block's length does not depend on theirs.
        chosen = int(segment.key[:_DIGITS], 16) / 16**_DIGITS < own / MEAN_SECONDS and segment.place.pause > 0.0
        closing = index == len(placed) or placed[index].place.chapter != segment.place.chapter
        if closing or chosen or seconds >= LONGEST_SECONDS:
            yield index
            seconds = 0.0


def _block(store: Store, placed: Sequence[Placed], places: Sequence[Place], first: int, last: int) -> Block:
    around = placed[max(0, first - 1) : last + 1]
    inside = slice(1 if first else 0, None if last == len(placed) else -1)
    identity = [inside.start, inside.stop, [_identity(segment) for segment in around]]
    return Block(places[first:last], partial(_parts, store, around, inside), canonical_json(identity).decode())


def _identity(segment: Placed) -> list[object]:
    place = segment.place
    return [segment.key, place.pause, *([place.lead, place.end] if place.lead or place.end is not None else [])]


def _place(segment: Placed, titles: Sequence[str], *, named: bool) -> Place:
    place = segment.place
    name = place.name if named else None
    title = titles[place.chapter]
    return Place(place.chapter, title, place.line, segment.speaker, name, segment.text, segment.readings)


def _last_silence(segment: Placed, *, last: bool) -> float:
    """Silence at the end of a track with times of its own; any other ends with its last sound."""
    return segment.place.pause if last and segment.place.end is not None else 0.0


def _parts(store: Store, around: Sequence[Placed], inside: slice) -> list[Part]:
    timings = [segments.read_timing(store, segment.key) for segment in around]
    ends = [Ends.of(marks, seconds) for marks, seconds in timings]
    meeting = list(joints(ends, [segment.place.pause for segment in around]))
    return [
        Part(
            sound=partial(segments.read_cut, store, segment.key, joint.head, joint.tail),
            text=segment.text,
            marks=clip(marks.shifted(-joint.head), seconds - joint.head - joint.tail),
            speaker=segment.speaker,
            pause_after=joint.silence or _last_silence(segment, last=inside.stop is None and segment is around[-1]),
            line=segment.place.line,
            pause_before=segment.place.lead,
        )
        for segment, joint, (marks, seconds) in list(zip(around, meeting, timings, strict=True))[inside]
    ]
