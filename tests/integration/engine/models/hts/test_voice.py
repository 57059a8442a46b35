"""The engine from text to audio on the built-in voice."""

from __future__ import annotations

import asyncio
import hashlib
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from koebin import TTS, Audio, Reading, Request, SynthesisOptions
from koebin.engine.errors import InvalidOption, InvalidText, UnknownStyle
from koebin.engine.speaker import Speaker
from tests.servers.waiting import PATIENCE

TEXT = "吾輩は猫である。名前はまだ無い。どこで生れたかとんと見当がつかぬ。"
NAMES = ("mei", "ken", "hina")


@pytest.fixture(scope="module")
def tts() -> Iterator[TTS]:
    with TTS(threads=2).load("mei").load("ken").load("hina").prepare() as prepared:
        yield prepared


@pytest.fixture(scope="module")
def mei(tts: TTS) -> Speaker:
    return tts.speakers["mei"]


def digest(audio: Audio) -> str:
    return hashlib.sha256(audio.samples.tobytes()).hexdigest()


def check_marks(audio: Audio, text: str) -> None:
    """Every sentence in order, phones without gaps inside sentences, all within the audio."""
    assert "".join(mark.text for mark in audio.marks.sentences) == text
    for level in (audio.marks.sentences, audio.marks.words, audio.marks.moras, audio.marks.phones):
        starts = [mark.start for mark in level]
        assert starts == sorted(starts)
        assert all(mark.start < mark.end <= audio.duration_seconds + 1e-9 for mark in level)


def test_a_sentence(mei: Speaker) -> None:
    audio = mei.generate("こんにちは。")
    assert audio.sample_rate_hz == mei.sample_rate_hz == 48_000
    assert audio.samples.dtype == np.float32
    assert 0.05 < audio.peak <= 1.0
    assert [mark.text for mark in audio.marks.moras] == ["コ", "ン", "ニ", "チ", "ワ"]
    assert [mark.text for mark in audio.marks.words] == ["こんにちは"]
    phones = audio.marks.phones
    assert [phone.text for phone in phones] == ["sil", "k", "o", "N", "n", "i", "ch", "i", "w", "a", "sil"]
    assert (phones[0].start, phones[-1].end) == (0.0, audio.duration_seconds)
    assert all(before.end == after.start for before, after in pairwise(phones))
    assert audio.marks.sentences[0].speaker == "mei"


def test_a_text_of_several_sentences(mei: Speaker) -> None:
    audio = mei.generate(TEXT)
    check_marks(audio, TEXT)
    assert len(audio.marks.sentences) == 3


def test_sounds_lie_where_the_marks_say(mei: Speaker) -> None:
    audio = mei.generate(TEXT)
    rate = audio.sample_rate_hz
    loudness = {
        kind: np.concatenate(
            [
                audio.samples[round(mark.start * rate) : round(mark.end * rate)]
                for mark in audio.marks.phones
                if (mark.text in "aiueo") == (kind == "vowels") and (kind == "vowels" or mark.text == "sil")
            ]
        ).std()
        for kind in ("vowels", "silences")
    }
    assert loudness["vowels"] > 20 * loudness["silences"]


@pytest.mark.parametrize("speed", [0.25, 0.7, 1.7, 4.0])
def test_speed(mei: Speaker, speed: float) -> None:
    normal, changed = mei.generate("こんにちは。"), mei.generate("こんにちは。", speed=speed)
    assert changed.duration_seconds == pytest.approx(normal.duration_seconds / speed, abs=0.02)
    assert changed.marks.phones[-1].end == changed.duration_seconds


def pitches_hz(audio: Audio) -> list[float]:
    """Pitch of the longer vowels, by autocorrelation."""
    rate = audio.sample_rate_hz
    found = []
    for mark in audio.marks.phones:
        frame = audio.samples[round(mark.start * rate) : round(mark.end * rate)][:2400]
        if mark.text in "aiueo" and len(frame) == 2400:
            spectrum = np.fft.rfft(frame - frame.mean(), 8192)
            correlation = np.fft.irfft(np.abs(spectrum) ** 2)
            lags = slice(rate // 500, rate // 80)
            found.append(rate / (lags.start + int(np.argmax(correlation[lags]))))
    return found


def pitch_hz(audio: Audio) -> float:
    return float(np.median(pitches_hz(audio)))


def test_pitch_moves_by_semitones(mei: Speaker) -> None:
    octave = pitch_hz(mei.generate(TEXT)) / pitch_hz(mei.generate(TEXT, pitch=-6))
    assert octave == pytest.approx(2 ** (6 / 12), rel=0.06)


def test_the_three_speakers_differ(tts: TTS) -> None:
    audios = {name: tts.speakers[name].generate(TEXT) for name in NAMES}
    pitches = {name: pitch_hz(audio) for name, audio in audios.items()}
    assert pitches["ken"] < 0.75 * pitches["mei"] < 0.75 * pitches["hina"]
    seconds = {name: audio.duration_seconds for name, audio in audios.items()}
    assert seconds["ken"] > seconds["mei"] > seconds["hina"]
    assert len({tts.speakers[name].revision for name in NAMES}) == 3


def test_intonation_is_the_movement_of_the_pitch(mei: Speaker) -> None:
    flat, again = (mei.generate("今日は良い天気です。", intonation=0.0) for _ in range(2))
    normal = mei.generate("今日は良い天気です。")
    assert digest(flat) == digest(again)
    assert flat.marks == normal.marks
    assert np.ptp(pitches_hz(flat)) < 0.3 * np.ptp(pitches_hz(normal))


def test_volume_is_decibels(mei: Speaker) -> None:
    normal, quiet = mei.generate("こんにちは。"), mei.generate("こんにちは。", volume=-20)
    np.testing.assert_allclose(quiet.samples, normal.samples * 0.1, atol=1e-7)


@pytest.mark.parametrize(("pause", "expected"), [(1.5, 1.5), (0.2, 0.2), (0.0, 0.1)])
def test_a_configured_pause_lies_between_the_sounds(mei: Speaker, pause: float, expected: float) -> None:
    audio = mei.generate("はい。…。いいえ。ええ。", pause=pause)
    check_marks(audio, "はい。…。いいえ。ええ。")
    for before, after in pairwise(audio.marks.words):
        assert after.start - before.end == pytest.approx(expected, abs=3 / 48_000)
    natural = mei.generate("はい。")
    assert audio.marks.phones[0] == natural.marks.phones[0], "the outer silences stay"


def test_a_pause_is_predicted(mei: Speaker) -> None:
    seconds = mei.predict_pause(Request("はい。"), Request("そうです。"))
    assert 0.1 < seconds < 1.0
    twice = SynthesisOptions(speed=2.0)
    assert mei.predict_pause(Request("はい。", twice), Request("そうです。", twice)) == pytest.approx(seconds / 2)
    assert mei.predict_pause(Request("はい。", SynthesisOptions(pause=0.7)), Request("そうです。")) == 0.7


@pytest.mark.parametrize("text", ["…", "……。", "！？", "、"])
def test_punctuation_alone_is_silence(mei: Speaker, text: str) -> None:
    audio = mei.generate(text)
    assert audio.peak == 0.0
    assert audio.duration_seconds > 0.1
    assert [mark.text for mark in audio.marks.sentences] == [text]
    assert audio.marks.phones[-1].end == audio.duration_seconds


def test_silence_stays_silence_whatever_the_volume(mei: Speaker) -> None:
    assert mei.generate("…", volume=20).peak == 0.0


def test_a_sentence_longer_than_an_utterance_is_spoken_whole(mei: Speaker) -> None:
    text = "この文章は句点がなくてとても長くて、" * 12 + "終わります。"
    audio = mei.generate(text, speed=4.0)
    check_marks(audio, text)
    assert "".join(word.text for word in audio.marks.words).count("この文章") == 12
    assert audio.marks.words[-1].text == "ます"


@pytest.mark.parametrize("text", ["", " \n", "…\x07", "ไทย"])
def test_text_that_cannot_be_spoken_is_refused(mei: Speaker, text: str) -> None:
    with pytest.raises(InvalidText):
        mei.generate(text)
    with pytest.raises(InvalidText):
        mei.stream(text)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"speed": 0}, "speed is out of range"),
        ({"speed": float("nan")}, "not a finite number"),
        ({"sped": 1.2}, "Did you mean speed"),
        ({"sdp_ratio": 0.5}, "no sdp_ratio"),
        ({"noise_scale": 0.1}, "no noise_scale"),
        ({"speaker_id": 1}, "no such row"),
    ],
)
def test_options_that_the_voice_does_not_have_are_refused(
    mei: Speaker, changes: dict[str, float], message: str
) -> None:
    with pytest.raises(InvalidOption, match=message):
        mei.generate("はい。", **changes)


def test_an_unknown_style_is_refused(mei: Speaker) -> None:
    with pytest.raises(UnknownStyle, match="Neutral"):
        mei.generate("はい。", style="Netral")


def test_a_reading_over_the_end_of_a_sentence_is_refused(mei: Speaker) -> None:
    with pytest.raises(InvalidOption, match="within one sentence"):
        mei.generate("はい。いいえ。", readings=[Reading(1, 5, "アイウ")])


def test_a_stream_joined_is_what_generate_gives(mei: Speaker) -> None:
    parts = list(mei.stream(TEXT, pause=1.0))
    assert len(parts) == 3
    joined = Audio.joined(parts)
    whole = mei.generate(TEXT, pause=1.0)
    assert digest(joined) == digest(whole)
    assert [mark.text for mark in joined.marks.phones] == [mark.text for mark in whole.marks.phones]


def test_a_stream_computes_only_what_is_asked_for(mei: Speaker) -> None:
    long = "今日は良い天気です。" * 2000
    stream = mei.stream(long)
    first = next(stream)
    assert first.marks.sentences[0].text == "今日は良い天気です。"
    assert mei.generate("はい。").peak > 0, "a stream in the hands of its consumer holds nothing"
    stream.close()  # type: ignore[attr-defined]


def test_abandoned_streams_and_renders_leave_nothing_behind(mei: Speaker) -> None:
    before = threading.active_count()
    for _ in range(10):
        next(mei.stream("はい。いいえ。", speed=3.0))
    render = mei.render([Request("はい。")] * 50)
    next(render)
    render.close()  # type: ignore[attr-defined]
    assert threading.active_count() == before
    assert mei.generate("はい。").peak > 0


@pytest.mark.parametrize("threads", [1, 2])
def test_a_render_that_shall_not_go_on_gives_what_it_has_begun_and_no_more(threads: int) -> None:
    given: list[Audio] = []
    asked_after = 0

    def go_on() -> bool:
        nonlocal asked_after
        asked_after += len(given) >= 3
        return len(given) < 3

    texts = [f"{number}番です。" for number in range(1, 13)]
    with TTS("cpu", threads=threads).load("mei").prepare(warmup=False) as tts:
        for audio in tts.speakers["mei"].render([Request(text, SynthesisOptions(speed=3.0)) for text in texts], go_on):
            given.append(audio)
    assert 3 <= len(given) <= 3 + 2 * threads < len(texts)
    assert [audio.marks.sentences[0].text for audio in given] == texts[: len(given)]
    assert asked_after == 1, "a no is final"


def test_render_speaks_each_request_as_if_alone(mei: Speaker) -> None:
    requests = [Request(text, SynthesisOptions(speed=speed)) for text in ("はい。", "…", TEXT) for speed in (2.0, 3.0)]
    rendered = list(mei.render(requests))
    for request, audio in zip(requests, rendered, strict=True):
        assert [mark.text for mark in audio.marks.sentences] == [request.text]
    assert [digest(audio) for audio in rendered] == [digest(next(mei.render([request]))) for request in requests]


def test_render_refuses_bad_input_before_it_computes(mei: Speaker) -> None:
    with pytest.raises(InvalidText):
        mei.render([Request("はい。"), Request("")])


FAST = SynthesisOptions(speed=3.0)
SENTENCES = [f"{number}番です。" for number in range(1, 8)]


@pytest.fixture(scope="module")
def sequential(tts: TTS) -> dict[tuple[str, str], str]:
    return {(name, text): digest(tts.speakers[name].generate(text, FAST)) for name in NAMES for text in SENTENCES}


def test_twenty_threads_on_three_speakers(tts: TTS, sequential: dict[tuple[str, str], str]) -> None:
    def work(number: int) -> None:
        for step in range(2):
            name, text = NAMES[(number + step) % 3], SENTENCES[(number * 3 + step) % 7]
            assert digest(tts.speakers[name].generate(text, FAST)) == sequential[name, text]

    with ThreadPoolExecutor(20) as pool:
        list(pool.map(work, range(20)))


async def test_twenty_coroutines_on_three_speakers(tts: TTS, sequential: dict[tuple[str, str], str]) -> None:
    async def work(number: int) -> None:
        name, text = NAMES[number % 3], SENTENCES[number % 7]
        assert digest(await tts.speakers[name].agenerate(text, FAST)) == sequential[name, text]
        parts = [part async for part in tts.speakers[name].astream(text + text, FAST)]
        assert digest(parts[0]) == sequential[name, text]

    await asyncio.gather(*(work(number) for number in range(20)))


async def test_the_event_loop_goes_on_while_speech_is_made(mei: Speaker) -> None:
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            ticks += 1
            await asyncio.sleep(0.005)

    ticking = asyncio.create_task(tick())
    await mei.agenerate(TEXT)
    ticking.cancel()
    assert ticks > 5


async def test_a_cancelled_request_stops_and_blocks_nobody(mei: Speaker) -> None:
    long = asyncio.create_task(mei.agenerate("今日は良い天気です。" * 3000))
    await asyncio.sleep(0.1)
    long.cancel()
    with pytest.raises(asyncio.CancelledError):
        await long
    async with asyncio.timeout(PATIENCE):
        assert (await mei.agenerate("はい。")).peak > 0


async def test_an_asynchronous_stream_can_be_left(mei: Speaker) -> None:
    stream = mei.astream("今日は良い天気です。" * 3000)
    async for part in stream:
        assert part.peak > 0
        break
    await stream.aclose()  # type: ignore[attr-defined]
    async with asyncio.timeout(PATIENCE):
        assert (await mei.agenerate("はい。")).peak > 0


def run_python(code: str) -> str:
    root = Path(__file__).parents[5]
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        cwd=root,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_another_process_gives_the_same_bytes(tts: TTS) -> None:
    code = f"""
    import hashlib
    from koebin import TTS
    speaker = TTS(threads=1).load("ken").prepare(warmup=False).speakers["ken"]
    print(hashlib.sha256(speaker.generate({TEXT!r}, speed=1.1).samples.tobytes()).hexdigest())
    """
    assert run_python(code) == digest(tts.speakers["ken"].generate(TEXT, speed=1.1))


def test_a_forked_child_is_refused() -> None:
    code = """
    import os, sys
    from koebin import TTS
    from koebin.engine.errors import EngineNotReady
    tts = TTS().load("mei").prepare(warmup=False)
    speaker = tts.speakers["mei"]
    if os.fork() == 0:
        for use in (lambda: speaker.generate("はい。"), tts.prepare, lambda: tts.load("ken")):
            try:
                use()
            except EngineNotReady as error:
                print(error, flush=True)
        own = TTS().load("mei").prepare(warmup=False)
        print(own.speakers["mei"].generate("はい。").peak > 0, flush=True)
        os._exit(0)
    os.wait()
    """
    lines = run_python(code).splitlines()
    assert len(lines) == 4
    assert all("another process" in line and "after the fork" in line for line in lines[:3])
    assert lines[3] == "True"


def test_importing_the_engine_loads_nothing_heavy() -> None:
    code = """
    import sys
    import koebin
    print(koebin.SynthesisOptions(speed=1.5).speed, sorted(set(koebin.__all__) - set(dir(koebin))))
    heavy = {"torch", "onnxruntime", "pyopenjtalk", "numpy", "transformers"}
    print(sorted(heavy & set(sys.modules)))
    koebin.TTS, koebin.Audio, koebin.Speaker, koebin.engine_revision()
    print(sorted(heavy & set(sys.modules)))
    """
    assert run_python(code).splitlines() == ["1.5 []", "[]", "['numpy']"]


def test_a_name_that_the_engine_does_not_have() -> None:
    import koebin

    with pytest.raises(AttributeError, match="nothing"):
        _ = koebin.nothing
