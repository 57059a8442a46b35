"""Preview of a job's cost, before anything is queued."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from koebin.tasks.contracts import Pauses, PlannedSegment
from koebin.tasks.jobs.planning import Target, plan_chunks, predicted_seconds
from koebin.tasks.script import Script
from koebin.tasks.segments import store as segments
from koebin.tasks.stores.base import Store


@dataclass(frozen=True, slots=True)
class Preview:
    """Job that was planned and not submitted.

    Attributes:
        segments: number of sentences; ``reused`` of them are in the store already or occur more than once.
        changed: line and text of those that would be rendered, up to ``preview``'s limit.
        seconds: predicted duration of the programme with its pauses; ``seconds_to_make`` of speech are not stored.
        wall_seconds: predicted time for that with the workers that live now; None if their speed is unknown.
    """

    segments: int
    reused: int
    characters: int
    chunks: int
    seconds: float
    seconds_to_make: float
    wall_seconds: float | None
    changed: tuple[tuple[int, str], ...]


def preview(
    script: Script,
    targets: Mapping[str, Target],
    pauses: Pauses,
    store: Store,
    *,
    processes: Mapping[str, int] | None = None,
    limit: int = 20,
) -> Preview:
    """Plan as a submission would, and look up which segments the store has.

    Args:
        processes: number of processes that serve each speaker now.

    Raises:
        InvalidText, InvalidScript, UnknownStyle: as for a submission.
        StoreDenied, StoreUnavailable: the store cannot be asked.
    """
    documents = list(plan_chunks(script, targets, pauses))
    planned = sorted(
        ((segment, document.speaker) for document in documents for segment in document.segments),
        key=lambda found: found[0].place.index,
    )
    present = segments.stored(store, (segment.segment.key for segment, _ in planned))
    making = {segment.segment.key: (segment, speaker) for segment, speaker in reversed(planned)}
    new = [found for key, found in making.items() if key not in present][::-1]
    by_speaker: dict[str, float] = dict.fromkeys(targets, 0.0)
    for segment, speaker in new:
        options = segment.segment.synthesis_options()
        by_speaker[speaker] += predicted_seconds(segment.segment.text, options.speed)
    return Preview(
        segments=len(planned),
        reused=len(planned) - len(new),
        characters=sum(len(segment.segment.text) for segment, _ in planned),
        chunks=len(documents),
        seconds=round(sum(document.seconds for document in documents) + _pauses(planned), 1),
        seconds_to_make=round(sum(by_speaker.values()), 1),
        wall_seconds=_wall_seconds(by_speaker, targets, processes or {}),
        changed=tuple((segment.place.line, segment.segment.text) for segment, _ in new[:limit]),
    )


def _pauses(planned: Sequence[tuple[PlannedSegment, str]]) -> float:
    """Seconds of silence between segments; an item of a list ends with its last word."""
    places = [segment.place for segment, _ in planned]
    return sum(place.pause for place, following in pairwise(places) if place.item == following.item)


def _wall_seconds(
    seconds: Mapping[str, float], targets: Mapping[str, Target], processes: Mapping[str, int]
) -> float | None:
    """Speakers may share their processes, so their times are added."""
    wall = 0.0
    for speaker, audio in seconds.items():
        speed = targets[speaker].speed_factor * processes.get(speaker, 1)
        if audio and speed <= 0:
            return None
        wall += audio / speed if audio else 0.0
    return round(wall, 1)
