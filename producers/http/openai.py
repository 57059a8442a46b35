"""OpenAI's shape: ``/v1/audio/speech`` and what clients of it ask besides."""

from __future__ import annotations

import asyncio
import base64
import secrets
from collections.abc import AsyncIterator
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Depends, Request
from fastapi.responses import StreamingResponse
from pydantic import AliasChoices, BaseModel, BeforeValidator, ConfigDict, Field

from koebin.engine.audio.encoding.stream import STREAM_TYPES
from koebin.engine.display import json_text
from koebin.engine.errors import KoebinError
from koebin.engine.options import SynthesisOptions
from koebin.producers.http.answers import openai_error
from koebin.producers.http.api_keys import Key
from koebin.producers.http.door import Door
from koebin.producers.http.errors import TooLarge
from koebin.producers.http.request_admission import key_of
from koebin.producers.http.speech import Utterance, begun, encoded, spoken_sentences
from koebin.producers.http.user_words import with_words

router = APIRouter(prefix="/v1", tags=["speech"])

MOST_OF_A_BATCH: Final = 32
_AT_ONCE: Final = 8
MODEL: Final = "koebin"
Format = Literal["mp3", "opus", "aac", "flac", "wav", "pcm"]


def _voice(value: object) -> object:
    """A voice may also be an object with its id."""
    return value.get("id") if isinstance(value, dict) else value


Voice = Annotated[str, BeforeValidator(_voice), Field(min_length=1, max_length=200)]


class SpeechRequest(BaseModel):
    """What OpenAI's clients send; fields that are not known, and ``instructions``, change nothing."""

    model_config = ConfigDict(extra="ignore")

    input: str = Field(min_length=1, description="What to say; KOEBIN_HTTP_INPUT_CHARACTERS at most.")
    voice: Voice = Field(description="A voice of GET /v1/audio/voices: NAME or NAME:STYLE.")
    model: str = Field(default=MODEL, max_length=200, description="Any: the voice decides.")
    response_format: Format = "mp3"
    speed: float = Field(default=1.0, ge=0.25, le=4.0)
    stream_format: Literal["audio", "sse"] = "audio"
    instructions: str | None = Field(default=None, description="Ignored: a style of the voice is asked for by name.")


class BatchItem(BaseModel):
    """One text of a batch; what it leaves out, the batch says."""

    model_config = ConfigDict(extra="ignore")

    input: str = Field(min_length=1)
    voice: Voice | None = None
    response_format: Format | None = None
    speed: float | None = Field(default=None, ge=0.25, le=4.0)


class BatchRequest(BaseModel):
    """Several texts at once."""

    model_config = ConfigDict(extra="ignore")

    items: list[BatchItem] = Field(
        min_length=1, max_length=MOST_OF_A_BATCH, validation_alias=AliasChoices("items", "inputs")
    )
    voice: Voice | None = None
    model: str = Field(default=MODEL, max_length=200)
    response_format: Format = "mp3"
    speed: float = Field(default=1.0, ge=0.25, le=4.0)


class ErrorBody(BaseModel):
    """The inner part of an error."""

    message: str
    type: str
    param: str | None = None
    code: str | None = None


class OpenAIError(BaseModel):
    """An error in OpenAI's shape."""

    error: ErrorBody


class VoiceEntry(BaseModel):
    """A voice."""

    id: str
    name: str


class Voices(BaseModel):
    """All voices that the key may use now."""

    voices: list[VoiceEntry]


class Model(BaseModel):
    """A model, of which there is one: the voice decides."""

    id: str
    object: Literal["model"] = "model"
    created: int = 0
    owned_by: str = "koebin"
    name: str


class Models(BaseModel):
    """All models."""

    object: Literal["list"] = "list"
    data: list[Model]
    models: list[Model]


class BatchEntry(BaseModel):
    """One result of a batch."""

    index: int
    status: Literal["success", "error"]
    audio_data: str | None = Field(default=None, description="base64")
    media_type: str | None = None
    error: ErrorBody | None = None


class BatchResponse(BaseModel):
    """All results of a batch, in the order of its items."""

    id: str
    results: list[BatchEntry]
    total: int
    succeeded: int
    failed: int


def door_of(request: Request) -> Door:
    """The door that this application belongs to."""
    door: Door = request.app.state.door
    return door


def sender_of(request: Request) -> Key:
    """The key with which a request was admitted."""
    return key_of(request.scope)


TheDoor = Annotated[Door, Depends(door_of)]
TheKey = Annotated[Key, Depends(sender_of)]

_ERRORS: Final[dict[int | str, dict[str, Any]]] = {
    status: {"model": OpenAIError} for status in (400, 401, 403, 408, 413, 415, 422, 429, 500, 501, 503, 504, 507)
}
_AUDIO: Final[dict[str, Any]] = {
    "description": "The audio, sentence by sentence as it is made; with stream_format sse, events.",
    "content": {
        media_type: {"schema": {"type": "string", "format": "binary"}}
        for media_type in (*dict.fromkeys(STREAM_TYPES.values()), "text/event-stream")
    },
}


@router.post("/audio/speech", responses={**_ERRORS, 200: _AUDIO}, response_class=StreamingResponse)
async def speech(body: SpeechRequest, door: TheDoor, key: TheKey) -> StreamingResponse:
    """Say a text."""
    utterance = await _utterance(door, key, body.input, body.voice, body.speed)
    pieces = await begun(encoded(door, spoken_sentences(door, key, utterance), body.response_format))
    if body.stream_format == "sse":
        return StreamingResponse(_events(pieces, body.input), media_type="text/event-stream", headers=_UNBUFFERED)
    return StreamingResponse(pieces, media_type=STREAM_TYPES[body.response_format], headers=_UNBUFFERED)


_UNBUFFERED: Final = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


async def _utterance(door: Door, key: Key, text: str, voice: str, speed: float) -> Utterance:
    """What is asked for, once it is known that the key may and a worker can."""
    door.check_length(text)
    speaker, style = await door.find_voice(key, voice)
    await door.in_thread(door.limits.spend, key, characters=len(text))
    return await with_words(door, key, Utterance(text, speaker.name, SynthesisOptions(style=style, speed=speed)))


async def _events(pieces: AsyncIterator[bytes], text: str) -> AsyncIterator[str]:
    """Server-sent events, an error that comes late among them."""
    try:
        async for piece in pieces:
            yield _event({"type": "speech.audio.delta", "audio": base64.b64encode(piece).decode()})
    except KoebinError as error:
        yield _event({"type": "error", **openai_error(error)})
        return
    usage = {"input_tokens": len(text), "output_tokens": 0, "total_tokens": len(text)}
    yield _event({"type": "speech.audio.done", "usage": usage})


def _event(document: dict[str, Any]) -> str:
    return f"data: {json_text(document)}\n\n"


@router.post("/audio/speech/batch", responses=_ERRORS)
async def batch(body: BatchRequest, door: TheDoor, key: TheKey) -> BatchResponse:
    """Say several texts; one that fails fails alone."""
    total = sum(len(item.input) for item in body.items)
    most = MOST_OF_A_BATCH * door.settings.http_input_characters // 4
    if total > most:
        raise TooLarge(f"the inputs have {total} characters, more than {most}", "", "Send fewer at once, or a job")
    await door.fleet()
    room = asyncio.Semaphore(_AT_ONCE)

    async def one(index: int, item: BatchItem) -> BatchEntry:
        name = item.response_format or body.response_format
        async with room:
            try:
                voice = item.voice or body.voice or ""
                utterance = await _utterance(door, key, item.input, voice, item.speed or body.speed)
                pieces = encoded(door, spoken_sentences(door, key, utterance), name)
                data = b"".join([piece async for piece in pieces])
            except KoebinError as error:
                told = ErrorBody.model_validate(openai_error(error)["error"])
                return BatchEntry(index=index, status="error", error=told)
        encoded_data = base64.b64encode(data).decode()
        return BatchEntry(index=index, status="success", audio_data=encoded_data, media_type=STREAM_TYPES[name])

    results = await asyncio.gather(*[one(index, item) for index, item in enumerate(body.items)])
    succeeded = sum(result.status == "success" for result in results)
    return BatchResponse(
        id=f"speech-batch-{secrets.token_hex(8)}",
        results=list(results),
        total=len(results),
        succeeded=succeeded,
        failed=len(results) - succeeded,
    )


@router.get("/audio/voices", responses=_ERRORS)
async def voices(door: TheDoor, key: TheKey) -> Voices:
    """Voices that live workers serve and the key may use."""
    found = []
    for name, speaker in (await door.speakers(key)).items():
        found.append(VoiceEntry(id=name, name=name))
        if len(speaker.styles) > 1:
            found += [VoiceEntry(id=f"{name}:{style}", name=f"{name} ({style})") for style in speaker.styles]
    further = [VoiceEntry(id=name, name=f"{name} = {voice}") for name, voice in door.further_names(key).items()]
    return Voices(voices=found + further)


@router.get("/models", responses=_ERRORS)
@router.get("/audio/models", responses=_ERRORS)
async def models() -> Models:
    """Models; any name is accepted."""
    known = [Model(id=name, name=name) for name in (MODEL, "tts-1", "tts-1-hd", "gpt-4o-mini-tts")]
    return Models(data=known, models=known)


@router.get("/models/{model}", responses={**_ERRORS, 404: {"model": OpenAIError}})
async def model(model: str) -> Model:
    """One model."""
    return Model(id=model, name=model)
