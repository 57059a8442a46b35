"""Timeline of a programme: positions of parts and chapters in samples of its one rate."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from koebin.engine.errors import InvalidInput
from koebin.tasks.assembly.programme.blocks import Place


@dataclass(frozen=True, slots=True)
class Span:
    """Chapter: samples from ``start`` to ``end``, its last pause included."""

    title: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Slot:
    """Place of one part: ``spoken`` samples from ``start``, then silence to ``end``."""

    start: int
    spoken: int
    end: int


@dataclass(slots=True)
class Timeline:
    """Places of a programme's parts; grows part by part.

    Attributes:
        sample_rate_hz: of the programme.
        chapters: in order, without gaps.
        speakers: in the order of their first word.
    """

    sample_rate_hz: int
    chapters: list[Span] = field(default_factory=list)
    speakers: list[str] = field(default_factory=list)
    # Three numbers per part, so that a book of many thousands stays small.
    _slots: array[int] = field(default_factory=lambda: array("q"))
    _chapter: int = -1

    def __len__(self) -> int:
        return len(self._slots) // 3

    @property
    def samples(self) -> int:
        return self._slots[-1] if self._slots else 0

    @property
    def duration_seconds(self) -> float:
        return self.samples / self.sample_rate_hz if self.samples else 0.0

    def slots(self) -> Iterator[Slot]:
        for first in range(0, len(self._slots), 3):
            yield Slot(*self._slots[first : first + 3])

    def add(self, place: Place, spoken: int, silence: int) -> None:
        """Place the next part, of ``spoken`` samples and ``silence`` samples.

        Raises:
            InvalidInput: it belongs to an earlier chapter than the part before it.
        """
        if place.chapter < self._chapter:
            raise InvalidInput(
                "a part belongs to an earlier chapter", str(place.chapter), "Sort the parts by chapter", place.line
            )
        start = self.samples
        end = start + spoken + silence
        if place.chapter == self._chapter:
            self.chapters[-1] = replace(self.chapters[-1], end=end)
        else:
            self.chapters.append(Span(place.chapter_title, start, end))
            self._chapter = place.chapter
        self._slots.extend((start, spoken, end))
        if place.speaker and place.speaker not in self.speakers:
            self.speakers.append(place.speaker)
