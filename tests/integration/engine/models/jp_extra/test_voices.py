"""JP-Extra voices through the facade: a small random voice in the published layouts, on both back ends."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from koebin import TTS, Audio, Request, SynthesisOptions
from koebin.engine.errors import (
    BackendMissing,
    EngineNotReady,
    InvalidOption,
    KoebinError,
    SourceNotFound,
    UnknownStyle,
)
from koebin.engine.models.base import Begun, FloatArray
from koebin.engine.models.jp_extra.export import export_bert
from koebin.engine.models.jp_extra.onnx.voice import JpExtraOnnx
from koebin.engine.models.jp_extra.torch.bert import TorchBert
from koebin.engine.models.jp_extra.torch.voice import JpExtraTorch
from koebin.engine.text.dictionary import Dictionary, Entry
from koebin.tasks.settings import Settings
from koebin.worker.child.load_voices import load_voices

GOLDEN = Path(__file__).parents[4] / "golden" / "onnx"
TEXT = "良い天気。はい。"


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A published tree with one small random voice in all its forms, and a BERT.

    ``small`` is for both back ends as people publish it, ``exported`` our own export, ``plain`` has safetensors only.
    """
    root = tmp_path_factory.mktemp("published")
    shutil.copytree(GOLDEN / "published", root / "onnx/speakers/small")
    shutil.copytree(GOLDEN / "exported", root / "onnx/speakers/exported")
    for name in ("small", "plain"):
        shutil.copytree(GOLDEN / "weights", root / "pytorch/speakers" / name)
    write_bert(root / "pytorch/bert/fp32")
    (root / "bert/tokenizer").mkdir(parents=True)
    vocabulary = "\n".join(["[PAD]", "[CLS]", "[SEP]", "[UNK]", *"今日は良い天気。"])
    (root / "bert/tokenizer/vocab.txt").write_text(vocabulary, "utf-8")
    export_bert(root / "pytorch/bert/fp32", root / "onnx/bert/fp32", quantize=False)
    return root


@pytest.fixture(autouse=True, scope="module")
def _one_thread() -> Iterator[None]:
    """Small matrices gain nothing from threads, and tests share the cores."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def write_bert(folder: Path) -> None:
    from transformers import DebertaV2Config, DebertaV2Model

    torch.manual_seed(1)
    config = DebertaV2Config(
        vocab_size=40,
        hidden_size=1024,
        num_hidden_layers=3,
        num_attention_heads=2,
        intermediate_size=64,
        relative_attention=True,
        position_buckets=8,
        max_position_embeddings=64,
        pos_att_type=["p2c", "c2p"],
        share_att_key=True,
        norm_rel_ebd="layer_norm",
        conv_kernel_size=3,
        conv_act="gelu",
        type_vocab_size=0,
        position_biased_input=False,
    )
    model: Any = DebertaV2Model(config)
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(config.to_dict()))
    weights = {f"deberta.{name}": tensor.contiguous() for name, tensor in model.state_dict().items()}
    save_file(weights, folder / "model.safetensors")


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A published voice is cut into its graphs once per cache."""
    return tmp_path_factory.mktemp("cache")


def make(tree: Path, cache: Path, *names: str, **arguments: Any) -> TTS:
    tts = TTS(cache=cache, bert_source=str(tree), **arguments)
    for name in names:
        tts.load(name, str(tree))
    return tts


@pytest.mark.slow
def test_every_form_of_a_voice_says_the_same_and_shares_a_bert(tree: Path, cache: Path) -> None:
    tts = make(tree, cache, "small", "exported", "plain", threads=2)
    with tts.load("mei").prepare(warmup=False):
        assert list(tts.speakers) == ["small", "exported", "plain", "mei"]
        voices = [tts.speakers[name] for name in ("small", "exported", "plain")]
        assert {voice.styles for voice in voices} == {("Neutral", "Happy")}
        assert len({voice.revision for voice in voices}) == 3
        # The speaker's name decides the noise: without it they have the same to say.
        quiet = SynthesisOptions(style="Happy", speed=2.0, noise_scale=0.0, noise_scale_w=0.0, pause=0.5, speaker_id=1)
        first, *others = (voice.generate(TEXT, quiet) for voice in voices)
        assert [mark.text for mark in first.marks.sentences] == ["良い天気。", "はい。"]
        assert "".join(mark.text for mark in first.marks.moras) == "ヨイテンキハイ"
        assert first.marks.phones[-1].end == pytest.approx(first.duration_seconds)
        for other in others:
            assert len(other) == len(first)
            np.testing.assert_allclose(other.samples, first.samples, atol=1e-4)
        loader: Any = tts._registry._jp_extra
        assert len(loader._onnx_berts) == len(loader._torch_berts) == 1
        with voices[0]._model() as small, voices[1]._model() as exported:
            assert small._idle is exported._idle  # type: ignore[attr-defined]


def test_a_loaded_voice_leaves_no_free_memory_behind(tree: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded: list[str] = []

    class Watched(JpExtraOnnx):
        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments)
            loaded.append("loaded")

    monkeypatch.setattr("koebin.engine.models.jp_extra.onnx.voice.JpExtraOnnx", Watched)
    monkeypatch.setattr("koebin.engine.models.jp_extra.voices.give_back", lambda: loaded.append("given back"))
    with make(tree, cache, "small", "exported").prepare(warmup=False):
        assert loaded == ["loaded", "given back"] * 2


def test_an_engine_that_was_closed_can_be_loaded_again(tree: Path, cache: Path) -> None:
    text, slowly = "今日は良い天気ですから、散歩に行きましょう。", SynthesisOptions(speed=0.25)  # an idle thread helps
    tts = make(tree, cache, "small", threads=2)
    with tts.prepare(warmup=False):
        before = tts.speakers["small"].generate(text, slowly)
    with tts.load("small", str(tree)).prepare(warmup=False):
        assert tts.speakers["small"].generate(text, slowly).samples.tobytes() == before.samples.tobytes()


def test_a_row_that_the_voice_does_not_have_is_refused(tree: Path, cache: Path) -> None:
    with (
        make(tree, cache, "exported").prepare(warmup=False) as tts,
        pytest.raises(InvalidOption, match="Use 0 to 1"),
    ):
        tts.speakers["exported"].generate("はい。", speaker_id=2)


def test_seed_and_take_change_the_noise_and_nothing_else_does(tree: Path, cache: Path) -> None:
    with make(tree, cache, "small", threads=2).prepare(warmup=False) as tts:
        voice = tts.speakers["small"]
        samples = voice.generate(TEXT).samples
        assert np.array_equal(samples, voice.generate(TEXT).samples)
        assert np.array_equal(samples, Audio.joined(list(voice.stream(TEXT))).samples)
        for changes in ({"seed": 1}, {"take": 1}):
            changed = voice.generate(TEXT, **changes).samples
            assert len(changed) != len(samples) or not np.array_equal(changed, samples)


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("changes", [{}, {"pause": 0.0}, {"volume": -6.0, "speed": 0.5}, {"pitch": 2.0}])
@pytest.mark.slow
def test_a_stream_begins_before_its_first_sentence_has_ended(
    tree: Path, cache: Path, threads: int, changes: dict[str, float]
) -> None:
    text = "今日は良い天気ですから、散歩に行きましょう。はい。"
    with make(tree, cache, "small", threads=threads).prepare(warmup=False) as tts:
        voice = tts.speakers["small"]
        whole, parts = voice.generate(text, **changes), list(voice.stream(text, **changes))
    joined = Audio.joined(parts)
    assert joined.samples.tobytes() == whole.samples.tobytes()
    assert joined.marks == whole.marks
    sentences = [[mark.text for mark in part.marks.sentences] for part in parts]
    assert [names for names in sentences if names] == [["今日は良い天気ですから、散歩に行きましょう。"], ["はい。"]]
    if "pitch" in changes:
        assert len(parts) == 2
    else:
        assert len(parts) > 2
        assert len(parts[0]) < len(whole) / 3


def test_windows_that_a_pause_cuts_away_are_not_decoded(
    tree: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first sentence ends in a long silence, of which a pause of 0 leaves nothing."""
    text, decoded = "はい" + "…" * 100 + "。はい。", []
    piece = JpExtraOnnx.piece

    def counted(self: JpExtraOnnx, begun: Begun, number: int) -> FloatArray:
        decoded.append((number, len(begun.pieces)))
        return piece(self, begun, number)

    monkeypatch.setattr(JpExtraOnnx, "piece", counted)
    with make(tree, cache, "small", threads=1).prepare(warmup=False) as tts:
        parts = list(tts.speakers["small"].stream(text, pause=0.0))
    assert len(decoded) < decoded[0][1]
    assert all(len(part) for part in parts)


def test_only_the_words_that_are_written_decide(tree: Path, cache: Path) -> None:
    """Not even the noise: so the engine alone and a worker, whose segments hold no others, say the same."""
    unwritten, written = Entry("声便", "コエビン", 2), Entry("天気", "ヌヌ", 1)
    with make(tree, cache, "exported", threads=2).prepare(warmup=False) as tts:
        voice = tts.speakers["exported"]
        spoken = {
            words: voice.generate(TEXT, dictionary=Dictionary(words)).samples.tobytes()
            for words in ((), (unwritten,), (written,), (unwritten, written))
        }
        requests = [Request(text, dictionary=Dictionary([unwritten, written])) for text in ("良い天気。", "はい。")]
        first, second = (audio.samples.tobytes() for audio in voice.render(requests))
        changed = [
            voice.generate(request.text, dictionary=Dictionary([written]).within(request.text)).samples.tobytes()
            for request in requests
        ]
    assert spoken[()] == spoken[unwritten,] != spoken[written,] == spoken[unwritten, written]
    assert [first, second] == changed


def test_pauses_are_the_same_whoever_predicts_them(tree: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "良い天気です。散歩に行きましょう。はい。そうですね。"
    predict, predicting = JpExtraOnnx.predict_pause, set[str]()

    def noted(*arguments: Any) -> float | None:
        predicting.add(threading.current_thread().name)
        return predict(*arguments)

    monkeypatch.setattr(JpExtraOnnx, "predict_pause", noted)
    spoken = []
    for threads in (1, 3):
        with make(tree, cache, "small", threads=threads).prepare(warmup=False) as tts:
            predicting.clear()
            spoken.append(tts.speakers["small"].generate(text).samples.tobytes())
    assert spoken[0] == spoken[1]
    assert len(predicting) > 0
    assert threading.current_thread().name not in predicting, "the consumer does not hold the threads up"


def test_threads_change_nothing(tree: Path, cache: Path) -> None:
    texts = [f"{number}番の文です。" for number in range(6)]
    with make(tree, cache, "small", threads=3).prepare(warmup=False) as tts:
        voice = tts.speakers["small"]
        alone = [voice.generate(text).samples for text in texts]
        rendered = [audio.samples for audio in voice.render([Request(text) for text in texts])]
        with ThreadPoolExecutor(6) as pool:
            threads = [audio.samples for audio in pool.map(voice.generate, texts)]
    for one, two, three in zip(alone, rendered, threads, strict=True):
        assert np.array_equal(one, two)
        assert np.array_equal(one, three)


@pytest.mark.slow
async def test_twenty_threads_and_twenty_coroutines_at_once_on_three_voices(tree: Path, cache: Path) -> None:
    names, texts = ("small", "exported", "plain"), [f"{number}番の文です。" for number in range(7)]
    with make(tree, cache, *names, threads=1).prepare(warmup=False) as tts:
        alone = {(name, text): tts.speakers[name].generate(text).samples.tobytes() for name in names for text in texts}
    assert len(set(alone.values())) == len(alone)
    orders = [(names[number % 3], texts[number % 7]) for number in range(20)]
    with make(tree, cache, *names, threads=4).prepare(warmup=False) as tts, ThreadPoolExecutor(20) as pool:
        threads = [pool.submit(tts.speakers[name].generate, text) for name, text in orders]
        coroutines = await asyncio.gather(*(tts.speakers[name].agenerate(text) for name, text in orders))
        heard = [*coroutines, *(thread.result() for thread in threads)]
    assert [audio.samples.tobytes() for audio in heard] == [alone[order] for order in orders] * 2


def test_voices_that_make_room_come_back_the_same(tree: Path, cache: Path) -> None:
    with make(tree, cache, "exported", "small", max_loaded=1).prepare(warmup=False) as tts:
        first = tts.speakers["exported"].generate("はい。").samples
        tts.speakers["small"].generate("はい。")
        assert tts.loaded == ("small",)
        assert np.array_equal(tts.speakers["exported"].generate("はい。").samples, first)


def test_files_that_change_under_a_prepared_voice_are_noticed(tree: Path, cache: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(tree, copy)
    with make(copy, cache, "plain", "exported", max_loaded=1).prepare(warmup=False) as tts:
        vectors = np.load(copy / "pytorch/speakers/plain/style_vectors.npy", allow_pickle=False)
        np.save(copy / "pytorch/speakers/plain/style_vectors.npy", vectors + 1)
        with pytest.raises(EngineNotReady, match="have changed"):
            tts.speakers["plain"].generate("はい。")


def test_pre_download_fetches_without_loading(tree: Path, cache: Path) -> None:
    tts = make(tree, cache, "small")
    tts.pre_download().pre_download(device="cuda")
    assert tts.loaded == ()
    with pytest.raises(SourceNotFound, match=r"speaker smal cannot be loaded.*there is: small, plain"):
        make(tree, cache, "smal").pre_download(device="cuda")


def test_bad_voices_are_named(tree: Path, cache: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(tree, broken)
    (broken / "onnx/speakers/small/synthesizer.onnx").write_bytes(b"no graph")
    with TTS(cache=cache, bert_source=str(tree)).load("exported", str(tree)).prepare(warmup=False) as tts:
        tts.load("small", str(broken))
        with pytest.raises(KoebinError, match="speaker small cannot be loaded"):
            tts.prepare()
        assert list(tts.speakers) == ["exported"]
        with pytest.raises(UnknownStyle, match="Happy"):
            tts.speakers["exported"].generate("はい。", style="Hapy")


def test_the_onnx_path_needs_neither_torch_nor_transformers(tree: Path, cache: Path) -> None:
    code = f"""
import sys
import threading
for name in ("torch", "transformers"):
    sys.modules[name] = None
from koebin import TTS
tts = TTS(cache={str(cache)!r}, bert_source={str(tree)!r}).load("small", {str(tree)!r}).prepare()
print(tts.speakers["small"].generate("はい。").sample_rate_hz)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=Path(__file__).parents[5], capture_output=True, text=True, check=False
    )
    assert done.stdout.strip() == "44100", done.stderr


def test_the_decoder_s_arithmetic_reaches_a_voice_of_a_gpu(
    tree: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Everything but the card itself, for which the CPU stands in."""
    given: list[tuple[str, str]] = []

    class Noted(JpExtraTorch):
        def __init__(self, folder: Path, bert: TorchBert, tokens: Any, device: str, decoder: Any) -> None:
            given.append((device, decoder))
            super().__init__(folder, bert, tokens, device, decoder)

    for module in ("bert", "voice"):
        monkeypatch.setattr(
            f"koebin.engine.models.jp_extra.torch.{module}.open_device", lambda name: torch.device("cpu")
        )
    monkeypatch.setattr("koebin.engine.models.jp_extra.torch.voice.JpExtraTorch", Noted)
    settings = Settings(speakers=(f"plain={tree.as_uri()}",), bert=str(tree), cache=cache, decoder="float16")
    load_voices(settings, "cuda").close()
    assert given == [("cuda", "float16")]


def test_a_gpu_that_is_not_there_is_told(tree: Path, cache: Path) -> None:
    device = f"cuda:{torch.cuda.device_count()}" if torch.cuda.is_available() else "cuda"
    tts = TTS(device, cache=cache, bert_source=str(tree)).load("small", str(tree))
    with pytest.raises(BackendMissing, match="speaker small"):
        tts.prepare()
