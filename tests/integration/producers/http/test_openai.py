"""OpenAI's shape, as the ``openai`` package and Open WebUI use it."""

from __future__ import annotations

import base64
import io
import json
from typing import TYPE_CHECKING

import av
import numpy as np
import pytest
import soundfile

from koebin.engine.audio.encoding.stream import STREAM_TYPES
from koebin.producers.client import Client
from koebin.tasks.contracts import SYNTHESIZE
from koebin.tasks.redis_keys import speaker_queue
from tests.integration.producers.http.conftest import ALICE, BOB, House
from tests.servers.waiting import PATIENCE

if TYPE_CHECKING:
    import openai  # seconds to import, in every process that collects tests

TEXT = "こんにちは。今日は、とても良い天気ですね。明日も晴れるでしょうか。そうだと良いのですが。"


def client(house: House, key: str = ALICE) -> openai.OpenAI:
    import openai

    return openai.OpenAI(base_url=f"{house.door.url}/v1", api_key=key, max_retries=0, timeout=PATIENCE)


def decoded(data: bytes) -> tuple[np.ndarray, int]:
    """Samples and rate, whatever the container: as a player would."""
    with av.open(io.BytesIO(data)) as container:
        blocks = [frame.to_ndarray() for frame in container.decode(audio=0)]
        rate = container.streams.audio[0].rate
    samples = np.concatenate([block.reshape(-1) for block in blocks])
    if samples.dtype.kind == "i":
        samples = samples / np.iinfo(samples.dtype).max
    return samples.astype(np.float32), rate


@pytest.mark.parametrize("name", [name for name in STREAM_TYPES if name != "pcm"])
def test_every_format_is_a_file_that_plays(house: House, name: str) -> None:
    answer = client(house).audio.speech.create(input=TEXT, voice="mei", model="tts-1", response_format=name)  # type: ignore[arg-type]
    samples, rate = decoded(answer.content)
    assert 4.0 < len(samples) / rate < 20.0
    assert np.abs(samples).max() > 0.05


def test_the_sound_is_that_of_the_queues_own_text(house: House) -> None:
    """Sentences that are streamed meet as those of koebin.synthesize do, to the sample."""
    request = {"text": TEXT, "speaker": "mei", "store": house.store, "format": "wav"}
    with Client(house.broker, house.store) as queue:
        made = queue.app.send_task(SYNTHESIZE, args=[request], queue=speaker_queue("mei")).get(timeout=PATIENCE)
        whole = queue.store.get(made["uri"].removeprefix(house.store + "/"))
    wanted, rate = soundfile.read(io.BytesIO(whole), dtype="int16")
    answer = client(house).audio.speech.create(input=TEXT, voice="mei", model="x", response_format="wav")
    streamed = np.frombuffer(answer.content[44:], "<i2")
    assert rate == 48_000
    assert len(streamed) == len(wanted)
    assert np.abs(streamed.astype(int) - wanted).max() <= 1


def test_pcm_is_24_khz(house: House) -> None:
    fast = client(house).audio.speech.create(input=TEXT, voice="mei", model="x", response_format="pcm", speed=2.0)
    plain = client(house).audio.speech.create(input=TEXT, voice="mei", model="x", response_format="pcm")
    wav = client(house).audio.speech.create(input=TEXT, voice="mei", model="x", response_format="wav")
    assert len(plain.content) == pytest.approx((len(wav.content) - 44) / 2, abs=100)
    assert len(fast.content) < 0.7 * len(plain.content)


def test_it_is_streamed(house: House) -> None:
    with client(house).audio.speech.with_streaming_response.create(
        input=TEXT, voice="ken", model="x", response_format="wav"
    ) as answer:
        pieces = list(answer.iter_bytes())
    assert answer.headers["content-type"] == "audio/wav"
    assert "content-length" not in answer.headers
    assert b"".join(pieces).startswith(b"RIFF")


def test_server_sent_events(house: House) -> None:
    body = {"input": TEXT, "voice": "mei", "response_format": "wav", "stream_format": "sse"}
    answer = house.door.ask("POST", "/v1/audio/speech", body, key=ALICE)
    assert answer.headers["content-type"].startswith("text/event-stream")
    events = [json.loads(line.removeprefix("data: ")) for line in answer.body.decode().split("\n\n") if line]
    *deltas, done = events
    assert len(deltas) >= 4
    assert {event["type"] for event in deltas} == {"speech.audio.delta"}
    assert done == {"type": "speech.audio.done", "usage": {"input_tokens": 44, "output_tokens": 0, "total_tokens": 44}}
    plain = house.door.ask("POST", "/v1/audio/speech", {**body, "stream_format": "audio"}, key=ALICE)
    assert b"".join(base64.b64decode(event["audio"]) for event in deltas) == plain.body


def test_unknown_fields_and_instructions_change_nothing(house: House) -> None:
    body = {"input": "はい。", "voice": {"id": "mei"}, "response_format": "pcm"}
    more = {
        **body,
        "voice": "mei",
        "model": "gpt-4o-mini-tts",
        "instructions": "Whisper.",
        "user": "x",
        "nonsense": [1],
    }
    plain, told = (house.door.ask("POST", "/v1/audio/speech", each, key=ALICE) for each in (body, more))
    assert plain.status == told.status == 200
    assert plain.body == told.body


def test_what_front_ends_ask_first(house: House) -> None:
    voices = house.door.ask("GET", "/v1/audio/voices", key=ALICE).json
    assert voices == {"voices": [{"id": "ken", "name": "ken"}, {"id": "mei", "name": "mei"}]}
    assert house.door.ask("GET", "/v1/audio/voices", key=BOB).json == {"voices": [{"id": "ken", "name": "ken"}]}
    assert "koebin" in [model.id for model in client(house).models.list()]
    assert {"id", "name"} <= set(house.door.ask("GET", "/v1/audio/models", key=ALICE).json["models"][0])


def test_a_batch_has_a_result_for_each_item(house: House) -> None:
    body = {
        "items": [
            {"input": "一つ目。"},
            {"input": "！？"},
            {"input": "三つ目。", "voice": "ken", "response_format": "wav"},
        ],
        "voice": "mei",
    }
    answer = house.door.ask("POST", "/v1/audio/speech/batch", body, key=ALICE)
    assert answer.status == 200, answer
    found = answer.json
    assert (found["total"], found["succeeded"], found["failed"]) == (3, 2, 1)
    assert [result["status"] for result in found["results"]] == ["success", "error", "success"]
    assert found["results"][1]["error"]["param"] == "input"
    assert found["results"][0]["media_type"] == "audio/mpeg"
    assert base64.b64decode(found["results"][2]["audio_data"]).startswith(b"RIFF")


def test_errors_have_openais_shape(house: House) -> None:
    import openai

    def error_of(key: str = ALICE, **fields: object) -> tuple[int, dict[str, object]]:
        answer = house.door.ask("POST", "/v1/audio/speech", {"input": "はい。", "voice": "mei", **fields}, key=key)
        assert set(answer.json["error"]) == {"message", "type", "param", "code"}
        return answer.status, answer.json["error"]

    status, error = error_of(voice="me")
    assert (status, error["param"], error["code"]) == (400, "voice", "unknown_speaker")
    assert "Did you mean mei?" in str(error["message"])
    status, error = error_of(voice="alloy")
    assert (status, error["param"]) == (503, "voice")
    status, error = error_of(voice="mei:Happy")
    assert (status, error["param"]) == (400, "voice")
    status, error = error_of(input="")
    assert (status, error["param"]) == (422, "input")
    status, error = error_of(input="あ" * 4097)
    assert (status, error["type"]) == (413, "invalid_request_error")
    assert "4096" in str(error["message"])
    status, error = error_of(speed=5)
    assert (status, error["param"]) == (422, "speed")
    status, error = error_of(key="kb-wrong")
    assert (status, error["code"]) == (401, "invalid_api_key")
    status, error = error_of(key=BOB)
    assert (status, error["code"]) == (400, "unknown_speaker")
    with pytest.raises(openai.AuthenticationError):
        client(house, "nothing").audio.speech.create(input="はい。", voice="mei", model="x")
    broken = house.door.ask("POST", "/v1/audio/speech", b"{", {"Content-Type": "application/json"}, key=ALICE)
    assert broken.status == 422
    assert "error" in broken.json
