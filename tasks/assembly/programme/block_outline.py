"""Outline of a block: everything known of it besides its samples: lengths, marks, loudness."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from koebin.engine.audio.audio import resample
from koebin.engine.audio.encoding.flac_frames import BLOCK_FRAMES, SHORTEST_FRAME
from koebin.engine.audio.loudness import LoudnessMeter, Section
from koebin.engine.audio.marks import Mark, Marks
from koebin.engine.bounded_json import loads
from koebin.engine.errors import InvalidInput
from koebin.tasks.assembly.programme.blocks import Block
from koebin.tasks.assembly.programme.deliverables import Part

FloatArray = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Outline:
    """Outline of a block.

    Attributes:
        spans: of each part the samples that are spoken, and those of silence that follow.
        section: loudness measurement of the block.
        rows: the marks as JSON, parsed on demand, which happens once.
    """

    spans: tuple[tuple[int, int], ...]
    section: Section
    rows: bytes

    @property
    def samples(self) -> int:
        return sum(spoken + silence for spoken, silence in self.spans)

    def marks(self) -> Iterator[Marks]:
        """Marks of each part, in seconds from its first sample. Raises: InvalidInput: these are not marks."""
        try:
            for part in loads(self.rows):
                yield Marks(*(tuple(Mark(*row) for row in level) for level in part))
        except (ValueError, TypeError, OverflowError, InvalidInput) as error:
            raise InvalidInput("the cached marks of a block cannot be read", str(error)) from error

    def dump(self) -> bytes:
        """Three lines of JSON that ``load`` reads."""
        return b"\n".join((_json(self.spans), dump_section(self.section), self.rows))

    @classmethod
    def load(cls, data: bytes) -> Outline:
        """Outline from ``dump``. Raises: InvalidInput: not an outline."""
        try:
            lengths, section, rows = data.split(b"\n")
            spans = tuple((spoken, silence) for spoken, silence in loads(lengths))
            return cls(spans, load_section(section), rows)
        except (ValueError, TypeError, OverflowError, InvalidInput) as error:
            raise InvalidInput("a cached outline of a block cannot be read", str(error)) from error


def outlined(block: Block, sample_rate_hz: int) -> tuple[FloatArray, Outline]:
    """Load a block, join its parts at the programme's rate, and measure the whole.

    Raises:
        InvalidInput: a part cannot be decoded; names its line.
    """
    pieces: list[FloatArray] = []
    spans: list[tuple[int, int]] = []
    parts = block.load()
    for part in parts:
        lead = round(part.pause_before * sample_rate_hz)
        spoken = _spoken(part, sample_rate_hz)
        if lead:
            spoken = np.concatenate([np.zeros(lead, dtype=np.float32), spoken])
        silence = round(part.pause_after * sample_rate_hz)
        pieces += [spoken, np.zeros(silence, dtype=np.float32)]
        spans.append((len(spoken), silence))
    missing = _short_of_a_frame(sum(map(len, pieces)))
    if spans:
        pieces.append(np.zeros(missing, dtype=np.float32))
        spans[-1] = spans[-1][0], spans[-1][1] + missing
    samples = np.concatenate(pieces) if pieces else np.zeros(0, dtype=np.float32)
    marks = [_marks(part, spoken, sample_rate_hz) for part, (spoken, _) in zip(parts, spans, strict=True)]
    rows = _json([[[_row(mark) for mark in level] for level in one.levels()] for one in marks])
    return samples, Outline(tuple(spans), measured(samples, sample_rate_hz), rows)


def _marks(part: Part, spoken: int, sample_rate_hz: int) -> Marks:
    """A part's marks, counted from the silence before it."""
    lead = round(part.pause_before * sample_rate_hz) / sample_rate_hz
    marks = part.marks_within(spoken / sample_rate_hz - lead)
    return marks.shifted(lead) if lead else marks


def measured(samples: FloatArray, sample_rate_hz: int) -> Section:
    """Loudness measurement of samples."""
    meter = LoudnessMeter(sample_rate_hz)
    for first in range(0, len(samples), 1 << 16):
        meter.update(samples[first : first + (1 << 16)])
    return meter.section()


def _spoken(part: Part, sample_rate_hz: int) -> FloatArray:
    try:
        audio = part.sound()
    except InvalidInput as error:
        raise InvalidInput(error.what, error.value, error.hint, part.line) from error
    return resample(audio.samples, audio.sample_rate_hz, sample_rate_hz)


def _short_of_a_frame(samples: int) -> int:
    """Number of samples without which a block's last FLAC frame would be too short for a frame inside a stream."""
    rest = samples % BLOCK_FRAMES
    return SHORTEST_FRAME - rest if 0 < rest < SHORTEST_FRAME else 0


def dump_section(section: Section) -> bytes:
    """JSON that ``load_section`` reads."""
    return _json([section.steps.tolist(), section.energy, section.peak, section.samples])


def load_section(data: bytes) -> Section:
    """Measurement from ``dump_section``. Raises: InvalidInput: not a measurement."""
    try:
        steps, energy, peak, samples = loads(data)
        return Section(np.array(steps, dtype=np.float64), float(energy), float(peak), int(samples))
    except (ValueError, TypeError, OverflowError, InvalidInput) as error:
        raise InvalidInput("a cached loudness measurement cannot be read", str(error)) from error


def _json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def _row(mark: Mark) -> tuple[str, float, float, str]:
    return (mark.text, mark.start, mark.end, mark.speaker)
