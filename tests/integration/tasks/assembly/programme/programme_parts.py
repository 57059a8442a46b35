"""A short programme of speech-like sound: two chapters, two speakers, two sample rates."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import groupby

import numpy as np

from koebin.engine.audio.audio import Audio
from koebin.engine.audio.encoding import decode_segment, encode_segment
from koebin.engine.audio.marks import Mark, Marks
from koebin.tasks.assembly.programme import Block, Part, Place

SENTENCES = (
    ("「ある日の暮方の事である。」", "mei", 0, 1, 0.3),
    ("一人の下人が、羅生門の下で雨やみを待っていた。", "mei", 0, 2, 0.5),
    ("広い門の下には、<この男>のほかに & 誰もいない。", "ken", 1, 4, 0.25),
    ("ただ、所々丹塗の剥げた、大きな円柱に、蟋蟀が一匹とまっている。", "mei", 1, 4, 0.75),
)
TITLES = ("第一章　雨", "第二章　門 <b>")
LEAD_SECONDS = 0.05
"""Silence before and after the sound within a part."""


@dataclass(frozen=True, slots=True)
class Placed(Part):
    """A part that knows its place."""

    chapter: int = 0
    chapter_title: str = ""


def in_blocks(parts: Iterable[Placed]) -> list[Block]:
    """Blocks of four parts at most, of which nothing is kept."""
    blocks = []
    for _, chapter in groupby(parts, key=lambda part: part.chapter):
        inside = list(chapter)
        for first in range(0, len(inside), 4):
            some = inside[first : first + 4]
            places = [Place(part.chapter, part.chapter_title, part.line, part.speaker) for part in some]
            blocks.append(Block(places, lambda some=some: some))  # type: ignore[misc]
    return blocks


def sentence(index: int, level: float = 0.1) -> Placed:
    """Bursts of noise, one for each mora, with silence around them."""
    text, speaker, chapter, line, pause = SENTENCES[index]
    rate = 48_000 if speaker == "mei" else 44_100
    noise = np.random.default_rng(index)
    lead = np.zeros(round(LEAD_SECONDS * rate))
    burst = round(0.08 * rate)
    moras = max(8, len(text) // 2)
    pieces, marks = [lead], []
    for mora in range(moras):
        start = LEAD_SECONDS + mora * 0.08
        marks.append(Mark("ア", start, start + 0.08))
        pieces.append(noise.normal(0.0, level, burst) * np.hanning(burst))
    samples = np.concatenate([*pieces, lead]).astype(np.float32)
    samples = np.convolve(samples, [0.25, 0.5, 0.25], "same").astype(np.float32)
    whole = (Mark(text, LEAD_SECONDS, len(samples) / rate - LEAD_SECONDS, speaker),)
    return Placed(
        partial(decode_segment, encode_segment(Audio(samples, rate))),
        text,
        Marks(whole, (), tuple(marks)),
        speaker,
        pause,
        line,
        chapter,
        TITLES[chapter],
    )


def parts() -> Iterator[Placed]:
    for index in range(len(SENTENCES)):
        yield sentence(index)
