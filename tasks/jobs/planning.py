"""Planning of a job: script to segments to chunks. Light: producers plan without an engine."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

from koebin.engine.checked_names import known_style
from koebin.engine.content_id import canonical_json
from koebin.engine.errors import InvalidScript, InvalidText, UnknownStyle
from koebin.engine.reading import Reading
from koebin.engine.text.checks import check_text
from koebin.engine.text.dictionary import Dictionary
from koebin.engine.text.given_readings import check_readings
from koebin.engine.text.sentences import split_sentences
from koebin.tasks.contracts import (
    MAX_SEGMENT_CHARACTERS,
    ChunkDocument,
    Pauses,
    Placement,
    PlannedSegment,
    PlannedSpeaker,
    Quality,
)
from koebin.tasks.jobs.pauses import pause_after, pause_between
from koebin.tasks.script import Passage, Script
from koebin.tasks.segment_key import plan_segment

SECONDS_PER_CHARACTER: Final = 0.15
"""Characters per second of Japanese narration at speed 1.0."""

CHUNK_WALL_SECONDS: Final = 30.0
LARGEST_CHUNK_SEGMENTS: Final = 500
_PARTS_OF_A_SMALL_JOB: Final = 12
_SMALLEST_WALL_SECONDS: Final = 1.0
"""Least audio of a chunk in seconds: a hundred times its overhead."""
_SMALLEST_SECONDS: Final = (5.0, 15.0)
"""Bounds of a chunk in seconds of audio, for the slowest and the fastest worker."""


@dataclass(frozen=True, slots=True)
class Target:
    """Speaker as its workers announce it, for planning.

    Attributes:
        speed_factor: audio seconds per wall second of one worker.
    """

    planned: PlannedSpeaker
    engine_revision: str
    styles: tuple[str, ...]
    speed_factor: float


@dataclass(frozen=True, slots=True)
class Sentence:
    """Sentence of a passage, before it has a key."""

    passage: Passage
    text: str
    readings: tuple[Reading, ...]
    pause: float
    first: bool = True


def sentences(passages: Iterable[Passage], pauses: Pauses, *, allow_mute: bool = True) -> Iterator[Sentence]:
    """Sentences of passages; every character that can be spoken is in exactly one.

    Here a text is checked and split, once for a producer's plan and once for a worker's single text.

    Args:
        allow_mute: accept a passage of punctuation alone, which is silence.

    Raises:
        InvalidText: a passage that cannot be spoken.
        InvalidScript: a sentence that is too long; a reading that crosses its end or cannot be spoken.
    """
    for passage in passages:
        check_text(passage.text, allow_mute=allow_mute)
        pieces = split_sentences(passage.text)
        for number, piece in enumerate(pieces):
            last = number == len(pieces) - 1
            readings = tuple(_inside(passage, piece.start, piece.end))
            _check_length(passage, piece.text)
            _check(passage, piece.text, readings)
            pause = (pause_after if last else pause_between)(passage, pauses)
            yield Sentence(passage, piece.text, readings, pause, first=number == 0)


def _inside(passage: Passage, start: int, end: int) -> Iterator[Reading]:
    for reading in passage.readings:
        if reading.end <= start or reading.start >= end:
            continue
        if reading.start < start or reading.end > end:
            raise InvalidScript(
                "a reading crosses the end of a sentence",
                passage.text[reading.start : reading.end],
                "Give each sentence its own reading",
                passage.line,
            )
        yield replace(reading, start=reading.start - start, end=reading.end - start)


def _check_length(passage: Passage, text: str) -> None:
    if len(text) > MAX_SEGMENT_CHARACTERS:
        what = f"a sentence of {len(text)} characters, of which {MAX_SEGMENT_CHARACTERS} are taken"
        raise InvalidScript(what, text[:40], "End its sentences with 。 or a line break", passage.line)


def _check(passage: Passage, text: str, readings: tuple[Reading, ...]) -> None:
    try:
        check_readings(text, readings)
    except InvalidText as error:
        raise InvalidScript(error.what, error.value, error.hint, passage.line) from error


def predicted_seconds(text: str, speed: float) -> float:
    """Predicted seconds of audio of a text."""
    return max(0.5, len(text) * SECONDS_PER_CHARACTER / speed)


def chunk_seconds(passages: Iterable[Passage], slowest: float) -> float:
    """Seconds of audio per chunk: about 30 s of a worker's time, less for a small job.

    Two workers end a small job at most one chunk apart, so it is divided as finely as is worthwhile.
    """
    total = sum(predicted_seconds(passage.text, passage.options.speed) for passage in passages)
    low, high = _SMALLEST_SECONDS
    smallest = min(high, max(low, _SMALLEST_WALL_SECONDS * slowest))
    return max(smallest, min(CHUNK_WALL_SECONDS * slowest, total / _PARTS_OF_A_SMALL_JOB))


def plan_chunks(
    script: Script, targets: Mapping[str, Target], pauses: Pauses, quality: Quality | None = None
) -> Iterator[ChunkDocument]:
    """Chunks of one speaker each, numbered from 0; a segment's ``place.index`` keeps the reading order.

    Raises:
        UnknownStyle: a style that the speaker does not have.
        InvalidText, InvalidScript: see ``sentences``.
    """
    slowest = min((target.speed_factor for target in targets.values()), default=1.0)
    limit = chunk_seconds(script.passages, max(slowest, 0.5))
    buffers: dict[str, tuple[list[PlannedSegment], float]] = {}
    number = 0
    for index, sentence in enumerate(sentences(script.passages, pauses)):
        speaker = sentence.passage.speaker
        planned = _plan(sentence, index, targets[speaker], script.dictionary, quality)
        segments, seconds = buffers.get(speaker, ([], 0.0))
        segments.append(planned)
        seconds += predicted_seconds(sentence.text, sentence.passage.options.speed)
        if seconds >= limit or len(segments) >= LARGEST_CHUNK_SEGMENTS:
            yield _chunk(number, speaker, segments, seconds, quality)
            number, segments, seconds = number + 1, [], 0.0
        buffers[speaker] = (segments, seconds)
    for speaker, (segments, seconds) in buffers.items():
        if segments:
            yield _chunk(number, speaker, segments, seconds, quality)
            number += 1


def _plan(
    sentence: Sentence, index: int, target: Target, dictionary: Dictionary, quality: Quality | None
) -> PlannedSegment:
    passage = sentence.passage
    if passage.options.style and not known_style(passage.options.style, target.styles):
        known = ", ".join(target.styles)
        raise UnknownStyle(f"{passage.speaker} has no such style", passage.options.style, f"Use {known}", passage.line)
    revision = dictionary.within(sentence.text).revision
    first, *others = (
        plan_segment(
            sentence.text,
            passage.speaker,
            replace(passage.options, take=passage.options.take + take) if take else passage.options,
            sentence.readings,
            dictionary_revision=revision,
            model_revision=target.planned.model_revision,
            engine_revision=target.engine_revision,
        )
        for take in range(quality.takes if quality else 1)
    )
    place = Placement(
        index=index,
        chapter=passage.chapter,
        line=passage.line,
        pause=sentence.pause,
        item=passage.item,
        name=passage.name,
        lead=passage.lead if sentence.first else 0.0,
        start=passage.start if sentence.first else None,
        end=passage.end,
    )
    return PlannedSegment(segment=first, place=place, takes=tuple(other.key for other in others))


def _chunk(
    number: int, speaker: str, segments: list[PlannedSegment], seconds: float, quality: Quality | None
) -> ChunkDocument:
    return ChunkDocument(
        chunk=number, speaker=speaker, seconds=round(seconds, 3), segments=tuple(segments), quality=quality
    )


def script_content(script: Script, job_options: Mapping[str, object], pauses: Pauses) -> str:
    """SHA-256 over a user's request, without revisions of voices: equal for two submissions of the same."""
    digest = hashlib.sha256(canonical_json({"wishes": job_options, "dictionary": script.dictionary.revision}))
    digest.update(canonical_json([script.title, script.author, [chapter.title for chapter in script.chapters]]))
    if script.cover:
        digest.update(script.cover.data)
    for sentence in sentences(script.passages, pauses):
        passage = sentence.passage
        digest.update(
            canonical_json(
                [
                    sentence.text,
                    passage.speaker,
                    passage.options.content(),
                    [[r.start, r.end, r.kana, r.accent] for r in sentence.readings],
                    [passage.chapter, passage.item, sentence.pause, passage.name],
                    *([[passage.lead, passage.start, passage.end]] if passage.lead or passage.end else []),
                ]
            )
        )
    return digest.hexdigest()
