"""The engine inside an ordinary FastAPI application, for those who need no queue.

Run: pip install 'koebin[engine,http]', then: uvicorn fastapi_app:app, then:

    curl -o hello.wav 'http://127.0.0.1:8000/speak?text=こんにちは。'
    curl -N 'http://127.0.0.1:8000/stream?text=こんにちは。お元気ですか。' > hello.pcm

One process holds one engine. For more than one machine, or for long texts, use the queue: koebin serve.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

from fastapi import FastAPI, HTTPException, Query, Request, Response
from fastapi.responses import StreamingResponse

from koebin import TTS, Audio, KoebinError

Text = Annotated[str, Query(min_length=1, max_length=500)]


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Load the voice once, before the first request; give it back at the end."""
    with TTS(device="cpu").load("mei").prepare() as tts:
        app.state.tts = tts
        yield


app = FastAPI(lifespan=lifespan)


@app.get("/speak")
async def speak(request: Request, text: Text) -> Response:
    """The whole text as a WAV file."""
    try:
        audio = await request.app.state.tts.speakers["mei"].agenerate(text)
    except KoebinError as error:
        raise HTTPException(400, str(error)) from error
    return Response(audio.to_bytes("wav"), media_type="audio/wav")


@app.get("/stream")
async def stream(request: Request, text: Text) -> StreamingResponse:
    """Raw 16-bit samples, a sentence at a time."""
    parts = request.app.state.tts.speakers["mei"].astream(text)
    try:
        first = await anext(parts)  # bad input is refused before an answer has begun
    except KoebinError as error:
        raise HTTPException(400, str(error)) from error

    async def samples() -> AsyncIterator[bytes]:
        yield pcm(first)
        async for part in parts:
            yield pcm(part)

    headers = {"X-Sample-Rate": str(first.sample_rate_hz)}
    return StreamingResponse(samples(), media_type="audio/pcm", headers=headers)


def pcm(audio: Audio) -> bytes:
    """Samples as 16-bit integers, little endian."""
    return bytes((audio.samples.clip(-1.0, 1.0) * 32767.0).astype("<i2").tobytes())
