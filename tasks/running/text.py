"""Synthesis of a single text to one URI or to stored sentences, without a job: for texts that any client sends."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Collection, Iterator, Mapping
from typing import Final

from koebin.engine.audio.audio import Audio
from koebin.engine.audio.silence import cut_silence
from koebin.engine.errors import GiveBack, InvalidText, StoreNotFound, UnknownSpeaker
from koebin.engine.limits import TEXT_SECONDS
from koebin.engine.models.card import card_of
from koebin.engine.request import Request
from koebin.tasks.contracts import (
    Pauses,
    RenderedSentence,
    RenderRequest,
    RenderResult,
    Result,
    SegmentCounts,
    SegmentSpec,
    SynthesizeRequest,
    VoiceCredit,
    parse_options,
)
from koebin.tasks.jobs.planning import Sentence, predicted_seconds, sentences
from koebin.tasks.running.cancellation import Guard
from koebin.tasks.running.runtime import Runtime
from koebin.tasks.running.spoken_phrases import spoken_phrases
from koebin.tasks.script import Passage
from koebin.tasks.segment_key import plan_segment
from koebin.tasks.segments import store as segments
from koebin.tasks.segments.joints import Ends, joints
from koebin.tasks.stores.base import Store

_PAUSES: Final = Pauses()


Planned = list[tuple[Sentence, SegmentSpec]]
TextRequest = SynthesizeRequest | RenderRequest


def synthesize_text(runtime: Runtime, request: SynthesizeRequest, guard: Guard, made: Collection[str] = ()) -> Result:
    """Speak a text, reusing sentences that the store has; the object's name follows from the content.

    Args:
        made: keys of sentences rendered a moment ago for this text, see ``koebin.tasks.running.render_together``.

    Raises:
        UnknownSpeaker, InvalidText, InvalidOption, StoreDenied: refused.
    """
    planned = plan_text(runtime, request)
    _refuse_length(planned)
    store = runtime.open_store(request.store)
    try:
        return _synthesize(runtime, request, planned, store, guard, made)
    except StoreNotFound:  # `koebin gc` removed an old sentence just after we saw it
        return _synthesize(runtime, request, planned, store, guard, made)


def plan_text(runtime: Runtime, request: TextRequest) -> Planned:
    """Sentences of a text with their keys.

    Raises:
        UnknownSpeaker, InvalidText, InvalidOption: refused.
    """
    if request.speaker not in runtime.speakers:
        raise UnknownSpeaker("this worker does not serve the speaker", request.speaker)
    found = sentences([_passage(request)], _PAUSES, allow_mute=False)
    return [(sentence, _plan(runtime, sentence)) for sentence in found]


def _refuse_length(planned: Planned) -> None:
    """Raises: InvalidText: joined in memory it would be too long; pauses can be a hundred times what is said."""
    seconds = sum(
        predicted_seconds(sentence.text, sentence.passage.options.speed) + sentence.pause for sentence, _ in planned
    )
    if seconds > TEXT_SECONDS:
        raise InvalidText(
            f"the text would last {seconds:.0f} s, more than {TEXT_SECONDS:.0f}",
            "",
            "Shorten its pauses, or send a job",
        )


def _synthesize(
    runtime: Runtime, request: SynthesizeRequest, planned: Planned, store: Store, guard: Guard, made: Collection[str]
) -> Result:
    rendered, reused = _render(runtime, request, planned, store, guard, made)
    parts = [rendered.get(spec.key) or segments.read(store, spec.key) for _, spec in planned]
    audio = _join(parts, [sentence.pause for sentence, _ in planned])
    return _deliver(request, store, audio, [spec.key for _, spec in planned], reused, _credit(runtime, request.speaker))


def render_text(runtime: Runtime, request: RenderRequest, guard: Guard, made: Collection[str] = ()) -> RenderResult:
    """Have every sentence of a text in the store, and say under which keys.

    Args:
        made: as of ``synthesize_text``.

    Raises:
        UnknownSpeaker, InvalidText, InvalidOption, StoreDenied: refused.
    """
    planned = plan_text(runtime, request)
    store = runtime.open_store(request.store)
    try:
        rendered, reused = _render(runtime, request, planned, store, guard, made)
        found = tuple(_rendered_sentences(request, planned, store, rendered))
    except StoreNotFound:  # as in ``synthesize_text``
        rendered, reused = _render(runtime, request, planned, store, guard, made)
        found = tuple(_rendered_sentences(request, planned, store, rendered))
    return RenderResult(sentences=found, segments=SegmentCounts(total=len(planned), reused=reused))


def _rendered_sentences(
    request: RenderRequest, planned: Planned, store: Store, rendered: Mapping[str, Audio]
) -> Iterator[RenderedSentence]:
    position = 0
    for sentence, spec in planned:
        start = request.text.index(sentence.text, position)
        position = start + len(sentence.text)
        audio = rendered.get(spec.key)
        marks, seconds = (audio.marks, audio.duration_seconds) if audio else segments.read_timing(store, spec.key)
        ends = Ends.of(marks, seconds)
        yield RenderedSentence(
            key=spec.key,
            text=sentence.text,
            start=start,
            pause=sentence.pause if position < len(request.text.rstrip()) else _pause_after(sentence),
            before=round(ends.before, 6),
            after=round(ends.after, 6),
            phrases=spoken_phrases(sentence.text, sentence.readings, marks) if request.phrases else (),
        )


def _pause_after(sentence: Sentence) -> float:
    """As between two sentences: what a text ends with may go on in another one."""
    pause = sentence.passage.options.pause
    return _PAUSES.sentence if pause is None else pause


def _render(
    runtime: Runtime, request: TextRequest, planned: Planned, store: Store, guard: Guard, made: Collection[str]
) -> tuple[dict[str, Audio], int]:
    """What was rendered, and how many sentences were there."""
    present = segments.stored(store, (spec.key for _, spec in planned))
    missing = [spec for _, spec in planned if spec.key not in present]
    started = time.monotonic()
    rendered = _render_missing(runtime, request, store, missing, guard)
    # a sentence that occurs twice is rendered once
    reused = len(planned) - len(rendered) - len(present.intersection(made))
    runtime.observer.segments(request.speaker, rendered=len(rendered), reused=reused)
    made_seconds = sum(audio.duration_seconds for audio in rendered.values())
    runtime.observer.spoken(request.speaker, made_seconds, time.monotonic() - started)
    return rendered, reused


def _passage(request: TextRequest) -> Passage:
    from koebin.engine.reading import Reading

    readings = tuple(Reading(r.start, r.end, r.kana, r.accent) for r in request.readings)
    return Passage(request.text, request.speaker, parse_options(request.options), readings)


def _plan(runtime: Runtime, sentence: Sentence) -> SegmentSpec:
    speaker = runtime.speakers[sentence.passage.speaker]
    return plan_segment(
        sentence.text,
        speaker.name,
        sentence.passage.options,
        sentence.readings,
        dictionary_revision="",
        model_revision=speaker.revision,
        engine_revision=runtime.engine_revision,
    )


def _render_missing(
    runtime: Runtime, request: TextRequest, store: Store, missing: list[SegmentSpec], guard: Guard
) -> dict[str, Audio]:
    wanted = list({spec.key: spec for spec in missing}.values())
    made: dict[str, Audio] = {}
    guard.check()
    requests = [sentence_request(spec) for spec in wanted]
    go_on = (lambda: not (made and guard.is_preempted())) if guard.may_be_preempted else None
    audios = runtime.speakers[request.speaker].render(requests, go_on)
    for spec, audio in zip(wanted, audios, strict=False):
        segments.write(store, spec.key, audio)
        # The stored audio counts: another worker's, or this one in 24 bits.
        made[spec.key] = segments.read(store, spec.key)
        guard.check()
    if guard.was_preempted:
        raise GiveBack("preempted by more urgent work", request.speaker)
    return made


def sentence_request(spec: SegmentSpec) -> Request:
    """Engine request for a sentence."""
    return Request(spec.text, spec.synthesis_options(), spec.engine_readings())


def _join(parts: list[Audio], pauses: list[float]) -> Audio:
    meeting = list(joints((Ends.of(part.marks, part.duration_seconds) for part in parts), pauses))
    cut = [cut_silence(part, joint.head, joint.tail) for part, joint in zip(parts, meeting, strict=True)]
    return Audio.joined(cut, [joint.silence for joint in meeting])


def _credit(runtime: Runtime, speaker: str) -> VoiceCredit:
    card = card_of(runtime.speakers[speaker])
    return VoiceCredit(display_name=card.name[:200], licence=card.licence_title, creators=card.creators[:100])


def _deliver(
    request: SynthesizeRequest, store: Store, audio: Audio, names: list[str], reused: int, credit: VoiceCredit
) -> Result:
    digest = hashlib.sha256("\n".join([*names, request.format]).encode()).hexdigest()
    key = f"texts/{digest[:2]}/{digest}.{request.format}"
    marks_key = f"texts/{digest[:2]}/{digest}.json"
    store.put(marks_key, segments.dump_marks(audio.marks, audio.sample_rate_hz, len(audio.samples)))
    store.put(key, audio.to_bytes(request.format))
    data = store.get(key)
    return Result(
        uri=store.url(key),
        duration_seconds=round(audio.duration_seconds, 6),
        sample_rate_hz=audio.sample_rate_hz,
        bytes=len(data),
        sha256=hashlib.sha256(data).hexdigest(),
        format=request.format,
        marks_uri=store.url(marks_key),
        segments=SegmentCounts(total=len(names), reused=reused),
        presigned_url=store.presign(key, request.presign_seconds) if request.presign_seconds else None,
        voices={request.speaker: credit} if credit.line() else {},
    )
