"""One text through the queue and back as one continuous sound, sentence by sentence."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from koebin.engine.errors import StoreNotFound
from koebin.engine.options import SynthesisOptions
from koebin.engine.reading import Reading
from koebin.engine.text.checks import check_text
from koebin.engine.text.sentences import split_sentences
from koebin.producers.http.api_keys import Key
from koebin.producers.http.door import Door
from koebin.tasks.contracts import (
    ReadingSpec,
    RenderedSentence,
    RenderRequest,
    RenderResult,
    changed_options,
)
from koebin.tasks.segments import store as segments
from koebin.tasks.segments.continuous import Continuous

if TYPE_CHECKING:
    from koebin.engine.audio.audio import Audio, FloatArray

_PART_CHARACTERS: Final = 100
"""Further sentences go together up to so many: a part is seconds of a worker's time, so that others come between."""
_AHEAD: Final = 2
"""Parts of one text that are asked for beyond the one that is given: workers make them at once. None beyond the first:
a worker would speak both together, and give both when the longer one is done."""

_ENCODED_SECONDS: Final = 0.5
"""Of sound that are encoded before a listener has the first of it: of a second, a core encodes 30 to 70 ms."""


@dataclass(frozen=True, slots=True)
class Utterance:
    """What is to be said, and how.

    Attributes:
        readings: spans of ``text``, none of them over the end of a sentence.
    """

    text: str
    speaker: str
    options: SynthesisOptions = SynthesisOptions()
    readings: tuple[Reading, ...] = ()


@dataclass(frozen=True, slots=True)
class SpokenSentence:
    """A sentence as the store has it, and the pause that follows it."""

    rendered: RenderedSentence
    audio: Audio


def parts_of(utterance: Utterance) -> Iterator[Utterance]:
    """The text in parts of whole sentences: the first sentence alone, then some at a time.

    Raises:
        InvalidText: nothing to speak.
    """
    check_text(utterance.text)
    sentences = split_sentences(utterance.text)
    start = end = 0
    for number, sentence in enumerate(sentences):
        if number == 0:
            start = sentence.start
        elif number == 1 or sentence.end - start > _PART_CHARACTERS:
            yield _part(utterance, start, end)
            start = sentence.start
        end = sentence.end
    yield _part(utterance, start, end)


def _part(utterance: Utterance, start: int, end: int) -> Utterance:
    inside = tuple(
        replace(reading, start=reading.start - start, end=reading.end - start)
        for reading in utterance.readings
        if start <= reading.start and reading.end <= end
    )
    return replace(utterance, text=utterance.text[start:end], readings=inside)


def request_for(door: Door, part: Utterance, *, phrases: bool = False) -> RenderRequest:
    """The message for one part."""
    options = changed_options(part.options)
    if part.options.pause is not None:
        options["pause"] = part.options.pause
    readings = tuple(ReadingSpec(start=r.start, end=r.end, kana=r.kana, accent=r.accent) for r in part.readings)
    return RenderRequest(
        text=part.text,
        speaker=part.speaker,
        store=door.client.store.uri,
        options=options,
        readings=readings,
        phrases=phrases,
    )


async def spoken_sentences(door: Door, key: Key, utterance: Utterance) -> AsyncIterator[SpokenSentence]:
    """The sentences of a text in order, each as soon as it is there.

    Raises:
        KoebinError: the text or an option is refused; no worker, no store.
    """
    waiting: deque[asyncio.Task[list[SpokenSentence]]] = deque()
    parts = parts_of(utterance)

    def ask(ahead: int) -> None:
        while len(waiting) < ahead and (part := next(parts, None)) is not None:
            waiting.append(asyncio.create_task(_speak(door, key, request_for(door, part))))

    ask(1)
    try:
        while waiting:
            sentences = await waiting[0]
            waiting.popleft()
            ask(_AHEAD)
            for sentence in sentences:
                yield sentence
    finally:
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)


async def _speak(door: Door, key: Key, request: RenderRequest) -> list[SpokenSentence]:
    result = await door.queue.render(key, request)
    try:
        return await door.in_thread(_read, door, result)
    except StoreNotFound:  # `koebin gc` took an old sentence away just after a worker saw it
        return await door.in_thread(_read, door, await door.queue.render(key, request))


def _read(door: Door, result: RenderResult) -> list[SpokenSentence]:
    store = door.client.store
    return [SpokenSentence(sentence, segments.read(store, sentence.key)) for sentence in result.sentences]


async def sound(sentences: AsyncIterator[SpokenSentence]) -> AsyncIterator[tuple[int, FloatArray]]:
    """The sample rate, and samples as soon as they are certain; none above full scale."""
    joined = Continuous()
    async for sentence in sentences:
        samples = joined.add(_fitted(sentence.audio), sentence.rendered.pause)
        yield joined.sample_rate_hz, samples
    yield joined.sample_rate_hz, joined.finish()


def _fitted(audio: Audio) -> Audio:
    from koebin.engine.audio.encoding.whole import fit

    return fit(audio)


async def encoded(
    door: Door,
    sentences: AsyncIterator[SpokenSentence],
    format: str,  # noqa: A002
    bitrate_kbps: int | None = None,
) -> AsyncIterator[bytes]:
    """One file, piece by piece; the first piece is there when the first sentence is, not when all of it is encoded."""
    from koebin.engine.audio.encoding.stream import StreamEncoder

    encoder: StreamEncoder | None = None
    async for rate, samples in sound(sentences):
        if encoder is None:
            encoder = await door.in_thread(StreamEncoder, format, rate, bitrate_kbps)
        step = round(_ENCODED_SECONDS * rate)
        for start in range(0, len(samples), step):
            if data := await door.in_thread(encoder.write, samples[start : start + step]):
                yield data
    if encoder is not None and (data := await door.in_thread(encoder.finish)):
        yield data


async def begun(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The same pieces, once the first of them is there: what is refused is refused before an answer has begun."""
    first = await anext(pieces, b"")

    async def all_of_them() -> AsyncIterator[bytes]:
        yield first
        async for piece in pieces:
            yield piece

    return all_of_them()
