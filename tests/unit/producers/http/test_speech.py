"""Texts in parts: what is asked for when, and how soon a listener has the first of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from koebin.engine.audio.audio import Audio
from koebin.engine.audio.encoding.stream import StreamEncoder
from koebin.engine.audio.marks import Marks
from koebin.producers.http import speech
from koebin.producers.http.api_keys import ALONE
from koebin.producers.http.door import Door
from koebin.producers.http.speech import SpokenSentence, Utterance, encoded, spoken_sentences
from koebin.tasks.contracts import RenderedSentence, RenderRequest

TEXT = "一つ目です。" + "".join(f"{number}番目の文はここにあります。" for number in range(2, 40))
RATE = 48_000


def test_nothing_beyond_the_first_sentence_is_asked_for_before_it_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker speaks what waits together, and gives all of it when the longest is done."""
    asked: list[str] = []
    door = cast(Door, SimpleNamespace(client=SimpleNamespace(store=SimpleNamespace(uri="file:///nowhere"))))

    async def main() -> list[int]:
        gates: list[asyncio.Event] = []

        async def speak(door: object, key: object, request: RenderRequest) -> list[str]:
            asked.append(request.text)
            gates.append(asyncio.Event())
            await gates[-1].wait()
            return [request.text]

        monkeypatch.setattr(speech, "_speak", speak)
        given = cast(AsyncIterator[str], spoken_sentences(door, ALONE, Utterance(TEXT, "mei")))
        counts, text = [], ""
        for number in range(100):
            following = asyncio.ensure_future(anext(given, None))
            for _ in range(10):
                await asyncio.sleep(0)
            counts.append(len(asked))
            if number < len(gates):
                gates[number].set()
            part = await following
            if part is None:
                break
            text += part
        assert text == TEXT
        return counts

    counts = asyncio.run(main())
    assert counts[:3] == [1, 3, 4]
    assert asked[0] == "一つ目です。"
    assert len(asked) > 4


@pytest.mark.parametrize("name", ["mp3", "flac", "wav", "pcm"])
def test_a_listener_has_the_first_of_a_long_sentence_before_all_of_it_is_encoded(name: str) -> None:
    samples = (0.2 * np.sin(np.arange(20 * RATE) * 0.05)).astype(np.float32)
    sentence = SpokenSentence(
        RenderedSentence(key="a" * 64, text="一つ目です。", start=0, pause=0.3, before=0.0, after=0.0),
        Audio(samples, RATE, Marks()),
    )
    given = 0

    async def in_thread(call: Callable[..., Any], *args: Any) -> Any:
        nonlocal given
        given += sum(len(arg) for arg in args if isinstance(arg, np.ndarray))
        return call(*args)

    async def sentences() -> AsyncIterator[SpokenSentence]:
        yield sentence

    async def main() -> tuple[int, bytes]:
        pieces = encoded(cast(Door, SimpleNamespace(in_thread=in_thread)), sentences(), name)
        first = await anext(pieces)
        begun = given
        return begun, b"".join([first, *[piece async for piece in pieces]])

    begun, data = asyncio.run(main())
    assert begun <= 2 * RATE
    whole = StreamEncoder(name, RATE)
    assert data == whole.write(samples) + whole.finish()
