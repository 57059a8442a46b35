"""Remote voices against a real server that may be slow, fail, change, or end in the middle."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from koebin.engine.audio.marks import Marks
from koebin.engine.errors import (
    EngineNotReady,
    InferenceFailed,
    InvalidOption,
    KoebinError,
    SourceDenied,
    SourceError,
    SourceNotFound,
    SourceUnavailable,
    UnknownStyle,
)
from koebin.engine.models.base import Rendering
from koebin.engine.models.remote.address import is_remote, parse_remote
from koebin.engine.models.remote.recent_answers import Recent
from koebin.engine.request import Request
from koebin.engine.sources.base import SourceOptions
from koebin.engine.tts import TTS
from tests.servers.speech import SpeechServer, Trouble

KEY = "sk-planted-0123456789"
TEXT = "今日は良い天気です。"


@pytest.fixture
def server() -> Iterator[SpeechServer]:
    with SpeechServer() as server:
        yield server


def openai(server: SpeechServer, more: str = "") -> str:
    return f"openai+{server.url}/v1?model=m&voice=v&attempts=3&timeout=5{more}"


def voicevox(server: SpeechServer, more: str = "&speaker=声の人") -> str:
    return f"voicevox+{server.url}?attempts=3&timeout=5{more}"


def prepared(uri: str, tmp_path: Path, **keys: str) -> TTS:
    sources = SourceOptions(tmp_path, keys={name.replace("_", ":"): key for name, key in keys.items()})
    return TTS(sources=sources).load("rin", uri).prepare(warmup=False)


def test_a_voice_speaks_several_sentences_each_asked_for_once(server: SpeechServer, tmp_path: Path) -> None:
    with prepared(openai(server, "&concurrency=3"), tmp_path) as tts:
        speaker = tts.speakers["rin"]
        assert (speaker.sample_rate_hz, speaker.styles, speaker.speaker_count) == (24_000, ("Neutral",), 1)
        server.spoken.clear()
        audio = speaker.generate("一つ目の文です。二つ目の文です。三つ目です。", pause=0.5)
        assert Counter(server.spoken) == Counter(["一つ目の文です。", "二つ目の文です。", "三つ目です。"])
        assert [mark.text for mark in audio.marks.sentences] == ["一つ目の文です。", "二つ目の文です。", "三つ目です。"]
        # 0.4, 0.4 and 0.3 s of tones, 0.5 s between two of them, and a tenth of a second at both ends.
        assert audio.duration_seconds == pytest.approx(0.4 + 0.4 + 0.3 + 2 * 0.5 + 0.2, abs=0.03)
        assert np.abs(audio.samples).max() == pytest.approx(0.4, abs=0.02)


def test_pitch_speed_and_options_that_mean_nothing(server: SpeechServer, tmp_path: Path) -> None:
    with prepared(openai(server), tmp_path) as tts:
        speaker = tts.speakers["rin"]
        plain, fast = speaker.generate(TEXT), speaker.generate(TEXT, speed=2.0)
        assert fast.duration_seconds - 0.2 == pytest.approx((plain.duration_seconds - 0.2) / 2, abs=0.02)
        with pytest.raises(InvalidOption, match="noise_scale"):
            speaker.generate(TEXT, noise_scale=0.1)
        with pytest.raises(UnknownStyle):
            speaker.generate(TEXT, style="喜び")


@pytest.mark.parametrize("container", [("MP3", "audio/mpeg"), ("FLAC", "audio/flac"), ("OGG", "audio/ogg")])
def test_whatever_container_comes_is_read(server: SpeechServer, tmp_path: Path, container: tuple[str, str]) -> None:
    server.container = container
    with prepared(openai(server), tmp_path) as tts:
        audio = tts.speakers["rin"].generate(TEXT)
        assert audio.sample_rate_hz == 24_000
        assert audio.duration_seconds == pytest.approx(0.7, abs=0.15)


def test_a_streamed_wav_has_its_length_from_its_bytes(server: SpeechServer, tmp_path: Path) -> None:
    with prepared(openai(server), tmp_path) as tts:
        whole = server.tone("x", 0.3)
        place = whole.index(b"data") + 4
        for number, size in enumerate((b"\xff\xff\xff\xff", b"\0\0\0\0")):
            server.faults = [Trouble("/speech", body=whole[:4] + size + whole[8:place] + size + whole[place + 4 :])]
            said = tts.speakers["rin"].generate(f"{number}番目の文です。")
            assert said.duration_seconds == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize(
    "trouble",
    [
        Trouble("/speech", status=429, headers={"Retry-After": "0"}),
        Trouble("/speech", status=500),
        Trouble("/speech", status=503),
        Trouble("/speech", cut=1000),
        Trouble("/speech", cut=1000, chunked=True),
        Trouble("/speech", cut=0),
    ],
)
def test_what_may_pass_is_asked_for_again(server: SpeechServer, tmp_path: Path, trouble: Trouble) -> None:
    with prepared(openai(server), tmp_path) as tts:
        server.faults = [Trouble(**vars(trouble))]
        assert tts.speakers["rin"].generate(TEXT).duration_seconds == pytest.approx(0.7, abs=0.01)
        server.faults = [Trouble(**{**vars(trouble), "times": -1})]
        before = len(server.requests)
        with pytest.raises(SourceUnavailable):
            tts.speakers["rin"].generate("別の文です。")
        assert len(server.requests) - before == 3


@pytest.mark.parametrize(
    ("trouble", "error", "message"),
    [
        (Trouble("/speech", status=400, body=b'{"error": "too long"}', times=-1), InferenceFailed, "too long"),
        (Trouble("/speech", status=403, times=-1), SourceDenied, "KOEBIN_VOICE_KEYS"),
        (Trouble("/speech", status=404, times=-1), SourceNotFound, "404"),
        (Trouble("/speech", status=302, headers={"Location": "http://127.0.0.1:1/"}, times=-1), SourceError, "302"),
        (Trouble("/speech", body=b'{"error": "busy"}', times=-1), InferenceFailed, "not audio"),
        (Trouble("/speech", body=b"", times=-1), InferenceFailed, "not audio"),
    ],
)
def test_what_will_not_pass_is_asked_for_once(
    server: SpeechServer, tmp_path: Path, trouble: Trouble, error: type[KoebinError], message: str
) -> None:
    with prepared(openai(server), tmp_path) as tts:
        server.faults = [Trouble(**vars(trouble))]
        before = len(server.requests)
        with pytest.raises(error, match=message):
            tts.speakers["rin"].generate(TEXT)
        assert len(server.requests) - before == 1


def test_an_answer_that_drips_is_given_up(server: SpeechServer, tmp_path: Path) -> None:
    uri = openai(server).replace("timeout=5", "timeout=0.5").replace("attempts=3", "attempts=1")
    with prepared(uri, tmp_path) as tts:
        server.faults = [Trouble("/speech", slow=0.05, times=-1)]
        with pytest.raises(SourceUnavailable, match=r"0\.5 s"):
            tts.speakers["rin"].generate(TEXT)


def test_too_much_of_an_answer_is_refused(
    server: SpeechServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with prepared(openai(server), tmp_path) as tts:
        server.faults = [Trouble("/speech", body=b"\0" * ((64 << 20) + 1))]
        with pytest.raises(SourceError, match="more than 67108864 bytes"):
            tts.speakers["rin"].generate(TEXT)
        monkeypatch.setattr("koebin.engine.models.remote.audio.REMOTE_AUDIO_SECONDS", 0.5)
        with pytest.raises(InferenceFailed, match=r"more than 0\.5 seconds"):
            tts.speakers["rin"].generate(TEXT)


def test_a_voice_that_changes_is_noticed_and_has_another_revision(server: SpeechServer, tmp_path: Path) -> None:
    with prepared(openai(server, "&check=0"), tmp_path) as tts:
        first = tts.speakers["rin"].revision
        tts.speakers["rin"].generate(TEXT)
        server.owner = "somebody else"
        with pytest.raises(EngineNotReady, match=r"has changed.*Restart"):
            tts.speakers["rin"].generate(TEXT)
    with prepared(openai(server), tmp_path) as tts, prepared(openai(server, "&timeout=9"), tmp_path) as other:
        second = tts.speakers["rin"].revision
        assert second == other.speakers["rin"].revision != first
    with prepared(openai(server).replace("voice=v", "voice=w"), tmp_path) as tts:
        assert tts.speakers["rin"].revision not in (first, second)


def test_a_key_goes_to_its_host_and_nowhere_else(
    server: SpeechServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    server.key = KEY
    with pytest.raises(SourceDenied, match="KOEBIN_VOICE_KEYS=127"):
        prepared(openai(server), tmp_path, localhost=KEY)
    assert not any(KEY in authorization for *_, authorization in server.requests)
    options = SourceOptions(tmp_path, keys={server.place: KEY})
    tts = TTS(sources=options).load("rin", openai(server)).prepare(warmup=False)
    server.faults = [Trouble("/speech", status=500, times=-1)]
    with tts, pytest.raises(SourceUnavailable) as failure:
        tts.speakers["rin"].generate(TEXT)
    assert server.requests[-1][2] == f"Bearer {KEY}"
    assert KEY not in caplog.text + str(failure.value) + repr(failure.value) + repr(options) + repr(tts.__dict__)


def test_a_voicevox_server_has_styles_morae_and_terms(server: SpeechServer, tmp_path: Path) -> None:
    with prepared(voicevox(server), tmp_path) as tts:
        speaker = tts.speakers["rin"]
        assert speaker.styles == ("ノーマル", "喜び")
        assert (speaker.card.name, speaker.card.licence_title) == ("声の人", "利用規約")
        audio = speaker.generate("アメ。", style="喜び")
        assert server.spoken[-1] == "アメ。/8"
        assert [mark.text for mark in audio.marks.moras] == ["ア", "メ", "。"]
        assert [round(mark.start, 2) for mark in audio.marks.moras] == [0.1, 0.2, 0.3]
        assert speaker.generate("アメ。", style="Neutral").marks.sentences[0].text == "アメ。"
        assert server.spoken[-1] == "アメ。/7"
        assert speaker.generate("アメ。", speed=2.0).duration_seconds == pytest.approx(0.35, abs=0.01)
        server.morae_seconds = 0.0  # AivisSpeech
        assert speaker.generate("ユキ。").marks.moras == ()
        with pytest.raises(InvalidOption, match="fast"):
            speaker.generate("アメ。", speed=3.0)


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("&speaker=声のひと", "声の人"),
        ("", "several speakers"),
        ("&speaker=声の人&style=怒り", "ノーマル"),
        ("&speaker=9", "style"),
    ],
)
def test_a_speaker_that_is_not_there_is_named(server: SpeechServer, tmp_path: Path, query: str, message: str) -> None:
    with pytest.raises(SourceNotFound, match=message):
        prepared(voicevox(server, query), tmp_path)


def test_a_voice_or_a_server_that_is_not_there_is_named(server: SpeechServer, tmp_path: Path) -> None:
    with pytest.raises(SourceNotFound, match=r"rin.*no such voice.*Use"):
        prepared(openai(server).replace("voice=v", "voice=vv"), tmp_path)
    with pytest.raises(SourceUnavailable, match="does not answer"):
        prepared("openai+http://127.0.0.1:9/v1?model=m&attempts=1", tmp_path)


@pytest.mark.parametrize(
    "uri",
    [
        "openai+http://user:planted@host/v1?model=m",
        "openai+http://host/v1?model=m&api_key=planted",
        "openai+http://host/v1?model=m&token=planted",
        "openai+http://host/v1",
        "openai+http:///v1?model=m",
        "openai+http://host:99999/v1?model=m",
        "openai+http://host/v1?model=m#x",
        "openai+http://host/v1?model=m&timeout=0",
        "openai+http://host/v1?model=m&concurrency=1e9",
        "openai+http://host/v1?model=m&modle=x",
        "openai+http://host/v1?model=m&format=exe",
        "openai+ftp://host/v1?model=m",
        "voicevox+http://host?model=m",
    ],
)
def test_addresses_that_are_none_are_refused_without_their_secrets(uri: str) -> None:
    with pytest.raises(SourceError) as refused:
        parse_remote(uri)
    assert "planted" not in str(refused.value) + repr(refused.value)


def test_an_address_is_understood() -> None:
    address: Any = parse_remote("openai+https://Api.Example.com/v1/?voice=v&model=m&concurrency=8&batch=4")
    assert (address.base, address.place) == ("https://api.example.com/v1", "api.example.com")
    assert (address.concurrency, address.batch, address.timeout, address.attempts) == (8, 4, 60, 4)
    assert address.uri == "openai+https://api.example.com/v1?model=m&voice=v"
    assert is_remote("voicevox+http://x")
    assert not is_remote("https://x")
    assert not is_remote(None)


def test_a_batch_is_spoken_at_once_and_in_order(server: SpeechServer, tmp_path: Path) -> None:
    with prepared(openai(server, "&batch=4&concurrency=4"), tmp_path) as tts:
        server.spoken.clear()
        audio = tts.speakers["rin"].generate("一。二二。三三三。四四四四。五。", pause=0.3)
        assert Counter(server.spoken) == Counter(["一。", "二二。", "三三三。", "四四四四。", "五。"])
        assert [mark.text for mark in audio.marks.sentences] == ["一。", "二二。", "三三三。", "四四四四。", "五。"]


def test_what_was_made_but_not_stored_is_not_made_again(server: SpeechServer, tmp_path: Path) -> None:
    """One sentence fails for longer than it is tried: what was spoken beside it waits for the next try."""
    texts = ["一つ目です。", "二つ目です。", "三つ目です。", "四つ目です。"]
    with prepared(openai(server, "&concurrency=1&batch=4"), tmp_path) as tts:
        speaker = tts.speakers["rin"]
        server.spoken.clear()
        server.faults = [Trouble("/speech", status=500, times=3)]
        with pytest.raises(SourceUnavailable):
            list(speaker.render([Request(text) for text in texts]))
        assert len(list(speaker.render([Request(text) for text in texts]))) == 4
        assert Counter(server.spoken) == Counter(texts)
        again = speaker.generate(texts[0], seed=1)
        assert Counter(server.spoken)[texts[0]] == 2
        assert again.marks.sentences[0].text == texts[0]


def test_memory_of_what_was_made_is_bounded() -> None:
    recent = Recent(most_bytes=1000)
    for number in range(10):
        recent.add(str(number), Rendering(np.zeros(100, np.float32), Marks()))
    assert [number for number in range(10) if recent.get(str(number))] == [8, 9]
    recent.add("large", Rendering(np.zeros(1000, np.float32), Marks()))
    assert recent.get("large") is None
