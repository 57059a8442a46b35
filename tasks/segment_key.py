"""Segment keys: content hash, model and engine revision; and segments planned under them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace

from koebin.engine.content_id import content_id
from koebin.engine.errors import InvalidMessage
from koebin.engine.options import SynthesisOptions
from koebin.engine.reading import Reading
from koebin.engine.text.dictionary import Dictionary
from koebin.tasks.contracts import ChunkRequest, ReadingSpec, SegmentSpec, changed_options


def segment_key(content: str, model_revision: str, engine_revision: str) -> str:
    """Key of the stored audio: SHA-256 over content id, model revision and engine revision."""
    return hashlib.sha256(f"{content}\n{model_revision}\n{engine_revision}".encode()).hexdigest()


def plan_segment(
    text: str,
    speaker: str,
    options: SynthesisOptions,
    readings: Sequence[Reading],
    *,
    dictionary_revision: str,
    model_revision: str,
    engine_revision: str,
) -> SegmentSpec:
    """Segment with its key; ``Dictionary.within`` has reduced the dictionary to this text."""
    content = content_id(text, speaker, options, readings, dictionary_revision)
    return SegmentSpec(
        key=segment_key(content, model_revision, engine_revision),
        text=text,
        options=changed_options(options),
        readings=tuple(ReadingSpec(start=r.start, end=r.end, kana=r.kana, accent=r.accent) for r in readings),
    )


def another_take(segment: SegmentSpec, take: int, request: ChunkRequest, dictionary: Dictionary) -> SegmentSpec:
    """Further take of a segment with number ``take``, under its own key."""
    options = segment.synthesis_options()
    return plan_segment(
        segment.text,
        request.speaker,
        replace(options, take=options.take + take),
        segment.engine_readings(),
        dictionary_revision=dictionary.within(segment.text).revision,
        model_revision=request.model_revision,
        engine_revision=request.engine_revision,
    )


def check_segment(segment: SegmentSpec, request: ChunkRequest, dictionary: Dictionary) -> None:
    """Recompute the key of a received segment, with those words of the chunk's dictionary that it holds.

    Raises:
        InvalidMessage: the key does not belong to the text and options that came with it.
    """
    content = content_id(
        segment.text,
        request.speaker,
        segment.synthesis_options(),
        segment.engine_readings(),
        dictionary.within(segment.text).revision,
    )
    if segment.key != segment_key(content, request.model_revision, request.engine_revision):
        raise InvalidMessage("a segment's key does not match its content", segment.key)
