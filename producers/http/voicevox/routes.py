"""The routes that VOICEVOX's clients call."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Body, Query, Response

from koebin.engine.audio.audio import Audio
from koebin.engine.errors import InvalidText, SpeakerNotServed, UnknownStyle
from koebin.engine.options import SynthesisOptions
from koebin.engine.reading import Reading
from koebin.producers.http.api_keys import Key
from koebin.producers.http.door import Door
from koebin.producers.http.errors import NotFound
from koebin.producers.http.openai import TheDoor, TheKey
from koebin.producers.http.speech import Utterance, parts_of, request_for
from koebin.producers.http.user_words import Word, WordType, as_voicevox, change, load, new_id, new_word, with_words
from koebin.producers.http.voicevox.finish import ends_cut, finished, semitones, wanted_pauses, with_pauses
from koebin.producers.http.voicevox.models import (
    AccentPhrase,
    AudioQuery,
    Phrases,
    Speaker,
    SpeakerInfo,
    Style,
    StyleInfo,
)
from koebin.producers.http.voicevox.queries import kana_of, phrases_of, remember, spoken_of
from koebin.producers.http.voicevox.styles import speaker_uuid, style_ids
from koebin.tasks.broker.fleet import ServedSpeaker
from koebin.tasks.contracts import RenderedSentence
from koebin.tasks.segments import store as segments
from koebin.tasks.segments.joints import Ends, joints

router = APIRouter(tags=["VOICEVOX"])

VERSION: Final = "0.24.1"
"""Of the interface that is answered; clients compare it."""
MOST_CHARACTERS: Final = 1000
IGNORED: Final = "Koebin-Ignored"
"""Header that names what of a query changes nothing."""
_EMPTY_PNG: Final = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
StyleId = Annotated[int, Query(alias="speaker", ge=0, lt=2**31)]
Text = Annotated[str, Query(min_length=1, max_length=MOST_CHARACTERS)]


class _Voice:
    """A style that a client asks for by its number."""

    def __init__(self, speaker: ServedSpeaker, style: str) -> None:
        self.name = speaker.name
        self.options = SynthesisOptions(style=style if style != speaker.styles[0] else "")


async def _voice(door: Door, key: Key, number: int) -> _Voice:
    served = await door.speakers(key)
    if not served:
        raise SpeakerNotServed("no worker is ready", "", "Start one with: koebin worker --speakers mei")
    found = style_ids(served).get(number)
    if found is None:
        raise UnknownStyle("no live worker serves a style of that number", str(number), "See: GET /speakers")
    await door.find_voice(key, found[0])
    return _Voice(served[found[0]], found[1])


async def _render(door: Door, key: Key, utterance: Utterance) -> list[RenderedSentence]:
    """All sentences of a text, with their phrases."""
    found: list[RenderedSentence] = []
    position = 0
    for part in parts_of(utterance):
        start = utterance.text.index(part.text, position)
        position = start + len(part.text)
        result = await door.queue.render(key, request_for(door, part, phrases=True))
        found += [sentence.model_copy(update={"start": sentence.start + start}) for sentence in result.sentences]
    return found


async def _query_of(door: Door, key: Key, voice: _Voice, text: str) -> Phrases:
    if len(text) > MOST_CHARACTERS:
        raise InvalidText(f"more than {MOST_CHARACTERS} characters", text, "Send it in parts")
    await door.in_thread(door.limits.spend, key, characters=len(text))
    utterance = await with_words(door, key, Utterance(text, voice.name, voice.options))
    sentences = await _render(door, key, utterance)
    phrases = phrases_of(sentences)
    await remember(door, key, text, sentences, phrases)
    return phrases


def _kana_utterance(text: str, voice: _Voice) -> Utterance:
    """A text that is kana with accents."""
    plain = "".join(character for character in text if character not in "'’/_、。？?！!") or text
    marked = text.replace("_", "")
    marked = marked if any(mark in marked for mark in "/、？?") else marked + "。"
    return Utterance(plain + "。", voice.name, voice.options, (Reading(0, len(plain), marked),))


@router.post("/audio_query")
async def audio_query(text: Text, speaker: StyleId, door: TheDoor, key: TheKey) -> AudioQuery:
    """A query with the true lengths of all moras."""
    voice = await _voice(door, key, speaker)
    phrases = await _query_of(door, key, voice, text)
    return AudioQuery(accent_phrases=phrases, kana=kana_of(phrases))


@router.post("/accent_phrases")
async def accent_phrases(
    text: Text, speaker: StyleId, door: TheDoor, key: TheKey, is_kana: Annotated[bool, Query()] = False
) -> Phrases:
    """The accent phrases of a text, or of kana with accents."""
    voice = await _voice(door, key, speaker)
    if not is_kana:
        return await _query_of(door, key, voice, text)
    await door.in_thread(door.limits.spend, key, characters=len(text))
    return phrases_of(await _render(door, key, _kana_utterance(text, voice)))


PhrasesBody = Annotated[list[AccentPhrase], Body(max_length=1000)]


@router.post("/mora_data")
@router.post("/mora_length")
async def mora_data(phrases: PhrasesBody, speaker: StyleId, door: TheDoor, key: TheKey) -> Phrases:
    """The phrases with the lengths that their moras have as they are accented now."""
    return await _with_lengths(door, key, await _voice(door, key, speaker), phrases)


@router.post("/mora_pitch")
async def mora_pitch(phrases: PhrasesBody, speaker: StyleId, door: TheDoor, key: TheKey) -> Phrases:
    """The phrases as they are: the voices predict no pitch that could be set."""
    await _voice(door, key, speaker)
    return phrases


async def _with_lengths(door: Door, key: Key, voice: _Voice, phrases: Phrases) -> Phrases:
    if not phrases:
        return []
    told = phrases_of(await _said(door, key, voice, phrases, voice.options))
    moras = [mora for phrase in told for mora in phrase.moras]
    if len(moras) != sum(len(phrase.moras) for phrase in phrases):
        return phrases
    found, position = [], 0
    pauses = [phrase.pause_mora for phrase in told] if len(told) == len(phrases) else None
    for number, phrase in enumerate(phrases):
        own = moras[position : position + len(phrase.moras)]
        position += len(phrase.moras)
        pause = phrase.pause_mora and ((pauses[number] if pauses else None) or phrase.pause_mora)
        found.append(phrase.model_copy(update={"moras": own, "pause_mora": pause}))
    return found


async def _said(
    door: Door, key: Key, voice: _Voice, phrases: Phrases, options: SynthesisOptions
) -> list[RenderedSentence]:
    spoken = await spoken_of(door, key, phrases)
    await door.in_thread(door.limits.spend, key, characters=len(spoken.text))
    utterance = Utterance(spoken.text, voice.name, options, spoken.readings)
    if not spoken.from_kana:
        utterance = await with_words(door, key, utterance)
    return await _render(door, key, utterance)


@router.post(
    "/synthesis",
    response_class=Response,
    responses={200: {"content": {"audio/wav": {"schema": {"type": "string", "format": "binary"}}}}},
)
async def synthesis(
    query: AudioQuery,
    speaker: StyleId,
    door: TheDoor,
    key: TheKey,
    enable_interrogative_upspeak: Annotated[bool, Query()] = True,
) -> Response:
    """The sound of a query. What of it changes nothing is named in the header Koebin-Ignored."""
    voice = await _voice(door, key, speaker)
    options = replace(
        voice.options,
        speed=query.speedScale,
        pitch=semitones(query.pitchScale),
        intonation=query.intonationScale,
    )
    sentences = await _said(door, key, voice, query.accent_phrases, options)
    data = await door.in_thread(_sound, door, query, sentences)
    headers = {"Cache-Control": "no-store"}
    if ignored := _ignored(query, phrases_of(sentences), upspeak=enable_interrogative_upspeak):
        headers[IGNORED] = ", ".join(ignored)
    return Response(data, media_type="audio/wav", headers=headers)


def _ignored(query: AudioQuery, told: Phrases, *, upspeak: bool) -> list[str]:
    """What was edited and is not honoured: single moras have neither a length nor a pitch of their own."""
    ignored = []
    if any(mora.pitch for phrase in query.accent_phrases for mora in phrase.moras):
        ignored.append("pitch")
    lengths = [_seconds(phrase) for phrase in query.accent_phrases]
    if query.speedScale == 1.0 and _differ(lengths, [_seconds(phrase) for phrase in told]):
        ignored += ["consonant_length", "vowel_length"]
    if not upspeak and any(phrase.is_interrogative for phrase in query.accent_phrases):
        ignored.append("enable_interrogative_upspeak")
    return ignored


def _seconds(phrase: AccentPhrase) -> float:
    return sum((mora.consonant_length or 0.0) + mora.vowel_length for mora in phrase.moras)


def _differ(mine: list[float], theirs: list[float]) -> bool:
    return len(mine) == len(theirs) and any(abs(a - b) > 1e-3 for a, b in zip(mine, theirs, strict=True))


def _sound(door: Door, query: AudioQuery, sentences: list[RenderedSentence]) -> bytes:
    """Join the sentences with the pauses of the query, and finish them as it asks."""
    store = door.client.store
    audios = [segments.read(store, sentence.key) for sentence in sentences]
    wanted = wanted_pauses(query, phrases_of(sentences))
    between, changed, place = [], [], 0
    for sentence, audio in zip(sentences, audios, strict=True):
        own = wanted[place : place + len(sentence.phrases)]
        own += [None] * (len(sentence.phrases) - len(own))
        place += len(sentence.phrases)
        last = own[-1] if own else None
        between.append(sentence.pause if last is None else last)
        inside = [*own[:-1], None] if own else []
        moras = [len(phrase.moras) for phrase in sentence.phrases]
        changed.append(with_pauses(audio, moras, inside) if any(each is not None for each in inside) else audio)
    ends = [Ends.of(audio.marks, audio.duration_seconds) for audio in audios]
    meeting = list(joints(ends, between))
    head, _ = ends_cut(audios[0], query.prePhonemeLength / query.speedScale, 0.0)
    _, tail = ends_cut(audios[-1], 0.0, query.postPhonemeLength / query.speedScale)
    cut = [_cut(audio, joint.head, joint.tail) for audio, joint in zip(changed, meeting, strict=True)]
    return finished(query, Audio.joined(cut, [joint.silence for joint in meeting]), head, tail)


def _cut(audio: Audio, head: float, tail: float) -> Audio:
    first, last = round(head * audio.sample_rate_hz), round(tail * audio.sample_rate_hz)
    return Audio(audio.samples[first : len(audio) - last], audio.sample_rate_hz)


@router.get("/version")
async def version() -> str:
    """The version of the interface."""
    return VERSION


@router.get("/core_versions")
async def core_versions() -> list[str]:
    """As ``/version``."""
    return [VERSION]


@router.get("/supported_devices")
async def supported_devices() -> dict[str, bool]:
    """Workers have devices; the door has none."""
    return {"cpu": True, "cuda": False, "dml": False}


@router.get("/engine_manifest")
async def engine_manifest() -> dict[str, Any]:
    """What this engine can do."""
    features = {
        "adjust_mora_pitch": False,
        "adjust_phoneme_length": False,
        "adjust_speed_scale": True,
        "adjust_pitch_scale": True,
        "adjust_intonation_scale": True,
        "adjust_volume_scale": True,
        "adjust_pause_length": True,
        "interrogative_upspeak": False,
        "synthesis_morphing": False,
        "sing": False,
        "manage_library": False,
        "return_resource_url": False,
    }
    return {
        "manifest_version": "0.13.1",
        "name": "Koebin",
        "brand_name": "Koebin",
        "uuid": speaker_uuid("koebin engine"),
        "url": "",
        "icon": _EMPTY_PNG,
        "default_sampling_rate": 24_000,
        "frame_rate": 93.75,
        "terms_of_service": "Each voice has its own terms.",
        "update_infos": [],
        "dependency_licenses": [],
        "supported_vvlib_manifest_version": None,
        "supported_features": features,
    }


@router.get("/speakers")
async def speakers(door: TheDoor, key: TheKey) -> list[Speaker]:
    """Speakers that live workers serve and the key may use, with the numbers of their styles."""
    served = await door.speakers(key)
    numbers = {names: number for number, names in style_ids(served).items()}
    return [
        Speaker(
            name=name,
            speaker_uuid=speaker_uuid(name),
            styles=[Style(name=style, id=numbers[(name, style)]) for style in speaker.styles],
            version=VERSION,
        )
        for name, speaker in served.items()
    ]


@router.get("/singers")
async def singers() -> list[Speaker]:
    """None."""
    return []


@router.get("/speaker_info")
async def speaker_info(
    speaker_uuid: str,
    door: TheDoor,
    key: TheKey,
    resource_format: Literal["base64", "url"] = "base64",
) -> SpeakerInfo:
    """A speaker's page: an empty picture."""
    del resource_format
    for speaker in await speakers(door, key):
        if speaker.speaker_uuid == speaker_uuid:
            infos = [StyleInfo(id=style.id, icon=_EMPTY_PNG) for style in speaker.styles]
            return SpeakerInfo(policy="See the terms of the voice.", portrait=_EMPTY_PNG, style_infos=infos)
    raise NotFound("no such speaker", speaker_uuid[:100])


@router.post("/initialize_speaker", status_code=204)
async def initialize_speaker(speaker: StyleId, door: TheDoor, key: TheKey, skip_reinit: bool = False) -> Response:
    """Nothing: workers have their voices loaded before they announce them."""
    del skip_reinit
    await _voice(door, key, speaker)
    return Response(status_code=204)


@router.get("/is_initialized_speaker")
async def is_initialized_speaker(speaker: StyleId, door: TheDoor, key: TheKey) -> bool:
    """Whether a live worker serves the style."""
    return speaker in style_ids(await door.speakers(key))


@router.get("/user_dict")
async def user_dict(door: TheDoor, key: TheKey) -> dict[str, dict[str, Any]]:
    """The key's own words."""
    words = await door.in_thread(load, door, key)
    return {word_id: as_voicevox(word) for word_id, word in words.items()}


Surface = Annotated[str, Query(min_length=1, max_length=100)]
Priority = Annotated[int, Query(ge=0, le=10)]
Accent = Annotated[int, Query(ge=0)]


@router.post("/user_dict_word")
async def add_word(
    surface: Surface,
    pronunciation: Surface,
    accent_type: Accent,
    door: TheDoor,
    key: TheKey,
    word_type: WordType = "PROPER_NOUN",
    priority: Priority = 5,
) -> str:
    """Add a word; returns its id."""
    word_id = new_id()
    await _change(door, key, {word_id: new_word(surface, pronunciation, accent_type, word_type, priority)})
    return word_id


@router.put("/user_dict_word/{word_uuid}", status_code=204)
async def change_word(
    word_uuid: str,
    surface: Surface,
    pronunciation: Surface,
    accent_type: Accent,
    door: TheDoor,
    key: TheKey,
    word_type: WordType = "PROPER_NOUN",
    priority: Priority = 5,
) -> Response:
    """Replace a word."""
    if word_uuid not in await door.in_thread(load, door, key):
        raise NotFound("no such word", word_uuid[:100])
    await _change(door, key, {word_uuid: new_word(surface, pronunciation, accent_type, word_type, priority)})
    return Response(status_code=204)


@router.delete("/user_dict_word/{word_uuid}", status_code=204)
async def delete_word(word_uuid: str, door: TheDoor, key: TheKey) -> Response:
    """Remove a word."""
    await _change(door, key, {word_uuid: None})
    return Response(status_code=204)


@router.post("/import_user_dict", status_code=204)
async def import_words(
    words: Annotated[dict[str, dict[str, Any]], Body()], override: bool, door: TheDoor, key: TheKey
) -> Response:
    """Add many words, by their ids; those that are there stay unless they are overridden."""
    known = await door.in_thread(load, door, key)
    added: dict[str, Word | None] = {
        word_id: new_word(
            str(fields.get("surface", "")),
            str(fields.get("pronunciation", "")),
            int(fields.get("accent_type", 0)),
            "PROPER_NOUN",
            int(fields.get("priority", 5)),
        )
        for word_id, fields in words.items()
        if override or word_id not in known
    }
    await _change(door, key, added)
    return Response(status_code=204)


async def _change(door: Door, key: Key, words: dict[str, Word | None]) -> None:
    await door.in_thread(change, door, key, words)
