"""The facade: registering, preparing, unloading, and how few voices are kept in memory."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from koebin import TTS, Request, SynthesisOptions
from koebin.engine.errors import (
    EngineNotReady,
    InferenceFailed,
    InvalidName,
    InvalidOption,
    KoebinError,
    SourceNotFound,
    UnknownSpeaker,
)
from koebin.engine.models.base import AcousticModel, Rendering, Utterance
from koebin.engine.models.hts.voice import BuiltinVoice
from koebin.engine.speaker import Speaker, SpeakerInfo

FAST = SynthesisOptions(speed=4.0)


@pytest.mark.parametrize("device", ["gpu", "cuda:", "CUDA", "cuda:x", "mps", "", "cpu ", None])
def test_an_unknown_device_is_refused(device: str) -> None:
    with pytest.raises(InvalidOption, match="tf32"):
        TTS(decoder="int8")  # type: ignore[arg-type]
    with pytest.raises(InvalidOption, match="Use float16 on CUDA"):
        TTS("cuda", decoder="bfloat16")
    with pytest.raises(InvalidOption, match="cuda:N"):
        TTS(device)


@pytest.mark.parametrize("arguments", [{"threads": 0}, {"max_loaded": 0}, {"threads": "2"}])
def test_numbers_below_one_are_refused(arguments: dict[str, int]) -> None:
    with pytest.raises(InvalidOption, match="out of range"):
        TTS(**arguments)  # type: ignore[arg-type]


def test_names_that_are_no_names_are_refused() -> None:
    with pytest.raises(InvalidName):
        TTS().load("../mei")


def test_a_speaker_is_not_ready_before_prepare() -> None:
    tts = TTS(threads=1)
    with pytest.raises(EngineNotReady, match="prepare"):
        tts.speakers["mei"]
    tts.load("mei")
    with pytest.raises(EngineNotReady, match="prepare"):
        tts.speakers["mei"]
    tts.prepare(warmup=False)
    assert tts.speakers["mei"].name == "mei"
    tts.load("ken")
    with pytest.raises(EngineNotReady, match="prepare"):
        tts.speakers["ken"]
    assert tts.prepare(warmup=False).speakers["ken"].styles == ("Neutral",)
    assert list(tts.speakers) == ["mei", "ken"]


def test_a_misspelt_speaker_is_told_the_nearest() -> None:
    with TTS(threads=1).load("mei").prepare(warmup=False) as tts:
        with pytest.raises(UnknownSpeaker, match="Did you mean mei"):
            tts.speakers["mie"]
        assert "mie" not in tts.speakers


def test_a_speaker_from_another_source_must_be_unloaded_first() -> None:
    tts = TTS().load("mei").load("mei")
    with pytest.raises(InvalidOption, match="unload"):
        tts.load("mei", "file:///voices")


def test_a_failed_prepare_names_the_bad_speaker_and_changes_nothing(tmp_path: Path) -> None:
    with TTS(threads=1, cache=tmp_path / "cache").load("mei").prepare(warmup=False) as tts:
        (tmp_path / "voices").mkdir()
        tts.load("ken").load("broken", str(tmp_path / "voices"))
        with pytest.raises(KoebinError, match="speaker broken cannot be loaded"):
            tts.prepare(warmup=False)
        assert list(tts.speakers) == ["mei"]
        assert tts.loaded == ("mei",)
        assert tts.speakers["mei"].generate("はい。", FAST).peak > 0
        with pytest.raises(EngineNotReady):
            tts.speakers["ken"]
        tts.unload("broken").prepare(warmup=False)
        assert list(tts.speakers) == ["mei", "ken"]


def test_pre_download_needs_no_prepare_and_names_the_bad_speaker(tmp_path: Path) -> None:
    (tmp_path / "voices").mkdir()
    tts = TTS("cpu", cache=tmp_path / "cache").load("mei").pre_download().pre_download(device="cuda")
    tts.load("broken", str(tmp_path / "voices"))
    with pytest.raises(SourceNotFound, match="speaker broken cannot be loaded"):
        tts.pre_download()


def test_few_voices_are_kept_and_the_others_come_back_when_needed() -> None:
    with TTS(threads=2, max_loaded=2).load("mei").load("ken").load("hina").prepare(warmup=False) as tts:
        assert list(tts.speakers) == ["mei", "ken", "hina"]
        assert tts.loaded == ("ken", "hina")
        first = tts.speakers["mei"].generate("はい。", FAST)
        assert tts.loaded == ("hina", "mei")
        tts.speakers["ken"].generate("はい。", FAST)
        assert tts.loaded == ("mei", "ken")
        assert np.array_equal(tts.speakers["mei"].generate("はい。", FAST).samples, first.samples)


def test_more_speakers_than_may_be_loaded_at_once_still_all_speak() -> None:
    with TTS(threads=2, max_loaded=1).load("mei").load("ken").load("hina").prepare(warmup=False) as tts:
        names = list(tts.speakers) * 4
        with ThreadPoolExecutor(len(names)) as pool:
            audios = list(pool.map(lambda name: tts.speakers[name].generate("はい。いいえ。", FAST), names))
        assert len({audio.samples.tobytes() for audio in audios}) == 3
        assert len(tts.loaded) == 1


def test_an_unloaded_speaker_is_gone() -> None:
    with TTS(threads=1).load("mei").load("ken").prepare(warmup=False) as tts:
        mei = tts.speakers["mei"]
        tts.unload("mei")
        with pytest.raises(EngineNotReady, match="unloaded"):
            mei.generate("はい。")
        with pytest.raises(UnknownSpeaker):
            tts.speakers["mei"]
        with pytest.raises(UnknownSpeaker):
            tts.unload("mei")
        assert tts.loaded == ("ken",)


def test_a_closed_tts_is_not_ready() -> None:
    with TTS(threads=1).load("mei").prepare(warmup=False) as tts:
        mei = tts.speakers["mei"]
    assert tts.loaded == ()
    with pytest.raises(EngineNotReady):
        mei.generate("はい。")
    with pytest.raises(EngineNotReady):
        tts.speakers["mei"]


def test_two_objects_share_nothing() -> None:
    with TTS(threads=1).load("mei").prepare(warmup=False) as one, TTS(threads=1) as other:
        assert len(one.speakers) == 1
        assert len(other.speakers) == 0


class BatchingVoice(BuiltinVoice):
    """The built-in voice behind the interface of a model that batches."""

    def __init__(self) -> None:
        super().__init__("mei")
        self.batches: list[list[str]] = []
        self.failing = False

    @property
    def batch_size(self) -> int:
        return 3

    def synthesize(self, utterances: Sequence[Utterance]) -> list[Rendering]:
        self.batches.append([utterance.analysis.text for utterance in utterances])
        renderings = super().synthesize(utterances)
        if self.failing:
            return [Rendering(rendering.samples * np.float32(np.nan), rendering.marks) for rendering in renderings]
        return renderings


def speaker_of(model: BuiltinVoice) -> Speaker:
    @contextmanager
    def lease() -> Iterator[AcousticModel]:
        yield model

    return Speaker(SpeakerInfo.of("mei", model), lease, lambda: ThreadPoolExecutor(1))


TEXTS = ("はい。", "今日は良い天気ですね。", "いいえ。", "散歩に行きましょう。", "え。", "そうですか。", "…")


def test_batches_are_sorted_by_length_and_come_back_in_order() -> None:
    model = BatchingVoice()
    rendered = list(speaker_of(model).render([Request(text, FAST) for text in TEXTS]))
    assert [audio.marks.sentences[0].text for audio in rendered] == list(TEXTS)
    assert model.batches == [
        ["今日は良い天気ですね。", "散歩に行きましょう。", "そうですか。"],
        ["いいえ。", "はい。", "え。"],
        ["…"],
    ]
    alone = [speaker_of(BuiltinVoice("mei")).generate(text, FAST).samples for text in TEXTS]
    assert all(np.array_equal(audio.samples, one) for audio, one in zip(rendered, alone, strict=True))


def test_batches_depend_on_the_requests_alone() -> None:
    runs = []
    for _ in range(2):
        model = BatchingVoice()
        list(speaker_of(model).render([Request(f"{number % 13}番。", FAST) for number in range(30)]))
        runs.append(model.batches)
    assert runs[0] == runs[1]
    assert sum(len(batch) for batch in runs[0]) == 30


def test_what_is_left_of_a_render_that_was_stopped_comes_in_the_batches_that_it_would_have_been_in() -> None:
    whole, parts = BatchingVoice(), BatchingVoice()
    requests = [Request(f"{number % 13}番。", FAST) for number in range(30)]
    list(speaker_of(whole).render(requests))
    given: list[int] = []
    while sum(given) < 30:
        answers = iter([True, False])
        rest = requests[sum(given) :]
        given.append(len(list(speaker_of(parts).render(rest, lambda answers=answers: next(answers)))))
    assert len(given) > 1, "it was stopped"
    assert parts.batches == whole.batches


def test_a_closed_render_of_batches_leaves_no_thread() -> None:
    before = threading.active_count()
    render = speaker_of(BatchingVoice()).render([Request("はい。", FAST)] * 30)
    next(render)
    render.close()  # type: ignore[attr-defined]
    assert threading.active_count() == before


def test_samples_that_are_not_numbers_are_an_error() -> None:
    model = BatchingVoice()
    model.failing = True
    with pytest.raises(InferenceFailed):
        speaker_of(model).generate("はい。")
