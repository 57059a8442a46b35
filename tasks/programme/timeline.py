"""Where everything stands in a programme, in samples of its one rate."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import zip_longest

from engine.errors import InferenceFailed, InvalidInput
from engine.marks import Marks
from tasks.programme.parts import Part, Parts


@dataclass(frozen=True, slots=True)
class Span:
    """A chapter: samples from ``start`` to ``end``, its last pause included."""

    title: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Slot:
    """The place of one part: ``spoken`` samples from ``start``, then silence to ``end``."""

    start: int
    spoken: int
    end: int


@dataclass(slots=True)
class Timeline:
    """Where the parts of a programme stand; grows part by part.

    Attributes:
        sample_rate_hz: of the programme; 0 as long as it is not known.
        chapters: in order, without gaps.
        speakers: in the order of their first word.
    """

    sample_rate_hz: int = 0
    chapters: list[Span] = field(default_factory=list)
    speakers: list[str] = field(default_factory=list)
    # Three numbers a part, so that a book of many thousands stays small.
    _slots: array[int] = field(default_factory=lambda: array("q"))
    _chapter: int = -1

    def __len__(self) -> int:
        return len(self._slots) // 3

    @property
    def frames(self) -> int:
        return self._slots[-1] if self._slots else 0

    @property
    def duration_seconds(self) -> float:
        return self.frames / self.sample_rate_hz if self.frames else 0.0

    def slots(self) -> Iterator[Slot]:
        for first in range(0, len(self._slots), 3):
            yield Slot(*self._slots[first : first + 3])

    def add(self, part: Part, spoken: int) -> None:
        """Place the next part, of ``spoken`` samples.

        Raises:
            InvalidInput: it belongs to an earlier chapter than the part before it.
        """
        if part.chapter < self._chapter:
            raise InvalidInput("a part belongs to an earlier chapter", str(part.chapter), "Sort the parts", part.line)
        start = self.frames
        end = start + spoken + round(part.pause_after * self.sample_rate_hz)
        if part.chapter == self._chapter:
            self.chapters[-1] = replace(self.chapters[-1], end=end)
        else:
            self.chapters.append(Span(part.chapter_title, start, end))
            self._chapter = part.chapter
        self._slots.extend((start, spoken, end))
        if part.speaker and part.speaker not in self.speakers:
            self.speakers.append(part.speaker)

    def with_parts(self, parts: Parts) -> Iterator[tuple[Part, Slot, Marks]]:
        """The parts again, each with its place and its marks in seconds since the programme's first sample.

        Raises:
            InferenceFailed: there are more or fewer of them than the first time.
        """
        rate = self.sample_rate_hz
        for part, slot in zip_longest(parts(), self.slots()):
            if part is None or slot is None:
                raise InferenceFailed("the parts have changed while the programme was written", "", "Try again")
            yield part, slot, part.marks_within(slot.spoken / rate).shifted(slot.start / rate)
