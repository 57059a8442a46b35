"""Joints between segments: the silence a voice leaves at both ends counts towards the pause between them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from koebin.engine.audio.marks import Marks
from koebin.engine.audio.silence import KEPT_SECONDS, sounding


@dataclass(frozen=True, slots=True)
class Ends:
    """Silence at the ends of a segment, in seconds; ``spoken`` is False for one without a sound."""

    before: float
    after: float
    spoken: bool

    @classmethod
    def of(cls, marks: Marks, duration_seconds: float) -> Ends:
        sounds = sounding(marks)
        if not sounds:
            return cls(duration_seconds, 0.0, spoken=False)
        return cls(sounds[0].start, max(0.0, duration_seconds - sounds[-1].end), spoken=True)


@dataclass(frozen=True, slots=True)
class Joint:
    """Silence cut from a segment's ends, and silence added after it, in seconds."""

    head: float
    tail: float
    silence: float


def joints(ends: Iterable[Ends], pauses: Iterable[float]) -> Iterator[Joint]:
    """One joint per segment, such that the wanted pause lies between two sounds.

    Args:
        ends: of every segment, in order.
        pauses: wanted after every segment, in seconds; the last one is ignored.

    Of a voice's own silence ``KEPT_SECONDS`` stay beside a sound, so a pause below twice that is not reached.
    """
    head, current, wanted = 0.0, None, 0.0
    for following, pause in zip(ends, pauses, strict=True):
        if current is not None:
            cut_tail, cut_head, silence = meet(current, following, wanted)
            yield Joint(head, cut_tail, silence)
            head = cut_head
        current, wanted = following, pause
    if current is not None:
        yield Joint(head, 0.0, 0.0)


def meet(before: Ends, after: Ends, wanted: float) -> tuple[float, float, float]:
    """What is cut from the end of one segment and from the head of the next, and the silence put between them."""
    surplus = before.after + after.before - wanted
    if surplus <= 0.0:
        return 0.0, 0.0, -surplus
    tail = min(surplus, max(0.0, before.after - KEPT_SECONDS)) if before.spoken else 0.0
    head = min(surplus - tail, max(0.0, after.before - KEPT_SECONDS)) if after.spoken else 0.0
    return tail, head, 0.0
