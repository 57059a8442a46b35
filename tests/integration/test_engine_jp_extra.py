"""JP-Extra voices through the facade: a small random voice in the published layouts, on both back ends."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from transformers import DebertaV2Config, DebertaV2Model

from engine import TTS, Audio, Request, SynthesisOptions
from engine.errors import BackendMissing, EngineNotReady, KoebinError, SourceNotFound, UnknownStyle
from engine.models.export import export_bert, export_voice

GOLDEN = Path(__file__).parents[1] / "golden" / "jp_extra"
TEXT = "良い天気。はい。"


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A published tree: ``tiny`` for both back ends, ``second`` for ONNX, ``plain`` in safetensors; and a BERT."""
    root = tmp_path_factory.mktemp("published")
    for name in ("tiny", "plain"):
        voice = root / "pytorch" / "speakers" / name
        voice.mkdir(parents=True)
        for file in ("config.json", "style_vectors.npy", "newer_names/tiny_e1_s1000.safetensors"):
            shutil.copy(GOLDEN / file, voice)
    bert = root / "pytorch" / "bert" / "fp32"
    write_bert(bert)
    tokenizer = root / "bert" / "tokenizer"
    tokenizer.mkdir(parents=True)
    (tokenizer / "vocab.txt").write_text("\n".join(["[PAD]", "[CLS]", "[SEP]", "[UNK]", *"今日は良い天気ですね。"]))
    export_bert(bert, root / "onnx" / "bert" / "fp32", quantize=False)
    export_voice(root / "pytorch" / "speakers" / "tiny", root / "onnx" / "speakers" / "tiny")
    shutil.copytree(root / "onnx" / "speakers" / "tiny", root / "onnx" / "speakers" / "second")
    return root


@pytest.fixture(autouse=True, scope="module")
def _one_thread() -> Iterator[None]:
    """Small matrices gain nothing from threads, and tests share the cores."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def write_bert(folder: Path) -> None:
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


def make(tree: Path, cache: Path, *names: str, **arguments: Any) -> TTS:
    tts = TTS(cache=cache, bert_source=str(tree), **arguments)
    for name in names:
        tts.load(name, str(tree))
    return tts


def test_both_back_ends_say_the_same_and_share_a_bert_each(tree: Path, tmp_path: Path) -> None:
    tts = make(tree, tmp_path, "tiny", "second", "plain", threads=2)
    with tts.load("mei").prepare(warmup=False):
        assert list(tts.speakers) == ["tiny", "second", "plain", "mei"]
        tiny, plain = tts.speakers["tiny"], tts.speakers["plain"]
        assert tiny.styles == plain.styles == ("Neutral", "Happy", "Sad")
        assert tiny.revision != plain.revision
        # The name decides the noise: without it both have the same to say.
        quiet = SynthesisOptions(style="Happy", speed=2.0, noise_scale=0.0, noise_scale_w=0.0, pause=0.5)
        one, other = tiny.generate(TEXT, quiet), plain.generate(TEXT, quiet)
        assert [mark.text for mark in one.marks.sentences] == ["良い天気。", "はい。"]
        assert "".join(mark.text for mark in one.marks.moras) == "ヨイテンキハイ"
        assert one.marks.phones[-1].end == pytest.approx(one.duration_seconds)
        assert len(one) == len(other)
        np.testing.assert_allclose(one.samples, other.samples, atol=1e-4)
        loader = tts._registry._jp_extra
        assert len(loader._onnx_berts) == len(loader._torch_berts) == 1  # type: ignore[union-attr]


def test_seed_and_take_change_the_noise_and_nothing_else_does(tree: Path, tmp_path: Path) -> None:
    with make(tree, tmp_path, "tiny", threads=2).prepare(warmup=False) as tts:
        tiny = tts.speakers["tiny"]
        samples = tiny.generate(TEXT).samples
        assert np.array_equal(samples, tiny.generate(TEXT).samples)
        assert np.array_equal(samples, Audio.joined(list(tiny.stream(TEXT))).samples)
        for changes in ({"seed": 1}, {"take": 1}):
            changed = tiny.generate(TEXT, **changes).samples
            assert len(changed) != len(samples) or not np.array_equal(changed, samples)


def test_threads_change_nothing(tree: Path, tmp_path: Path) -> None:
    texts = [f"{number}番の文です。" for number in range(6)]
    with make(tree, tmp_path, "tiny", threads=3).prepare(warmup=False) as tts:
        tiny = tts.speakers["tiny"]
        alone = [tiny.generate(text).samples for text in texts]
        rendered = [audio.samples for audio in tiny.render([Request(text) for text in texts])]
        with ThreadPoolExecutor(6) as pool:
            threads = [audio.samples for audio in pool.map(tiny.generate, texts)]
    for one, two, three in zip(alone, rendered, threads, strict=True):
        assert np.array_equal(one, two)
        assert np.array_equal(one, three)


def test_voices_that_make_room_come_back_the_same(tree: Path, tmp_path: Path) -> None:
    with make(tree, tmp_path, "tiny", "second", max_loaded=1).prepare(warmup=False) as tts:
        first = tts.speakers["tiny"].generate("はい。").samples
        tts.speakers["second"].generate("はい。")
        assert tts.loaded == ("second",)
        assert np.array_equal(tts.speakers["tiny"].generate("はい。").samples, first)


def test_files_that_change_under_a_prepared_voice_are_noticed(tree: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(tree, copy)
    with make(copy, tmp_path, "plain", "second", max_loaded=1).prepare(warmup=False) as tts:
        vectors = np.load(copy / "pytorch/speakers/plain/style_vectors.npy", allow_pickle=False)
        np.save(copy / "pytorch/speakers/plain/style_vectors.npy", vectors + 1)
        with pytest.raises(EngineNotReady, match="have changed"):
            tts.speakers["plain"].generate("はい。")


def test_pre_download_fetches_without_loading(tree: Path, tmp_path: Path) -> None:
    tts = make(tree, tmp_path, "tiny")
    tts.pre_download().pre_download(device="cuda")
    assert tts.loaded == ()
    with pytest.raises(SourceNotFound, match=r"speaker tinny cannot be loaded.*there is: tiny, plain"):
        make(tree, tmp_path, "tinny").pre_download(device="cuda")


def test_bad_voices_are_named(tree: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(tree, broken)
    (broken / "onnx/speakers/tiny/flow.onnx").write_bytes(b"no graph")
    with TTS(cache=tmp_path, bert_source=str(tree)).load("second", str(tree)).prepare(warmup=False) as tts:
        tts.load("tiny", str(broken))
        with pytest.raises(KoebinError, match="speaker tiny cannot be loaded"):
            tts.prepare()
        assert list(tts.speakers) == ["second"]
        with pytest.raises(UnknownStyle, match="Happy"):
            tts.speakers["second"].generate("はい。", style="Hapy")


def test_the_onnx_path_needs_neither_torch_nor_transformers(tree: Path, tmp_path: Path) -> None:
    code = f"""
import sys
for name in ("torch", "transformers"):
    sys.modules[name] = None
from engine import TTS
tts = TTS(cache={str(tmp_path)!r}, bert_source={str(tree)!r}).load("tiny", {str(tree)!r}).prepare()
print(tts.speakers["tiny"].generate("はい。").sample_rate_hz)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=Path(__file__).parents[2], capture_output=True, text=True, check=False
    )
    assert done.stdout.strip() == "44100", done.stderr


def test_a_gpu_that_is_not_there_is_told(tree: Path, tmp_path: Path) -> None:
    device = f"cuda:{torch.cuda.device_count()}" if torch.cuda.is_available() else "cuda"
    tts = TTS(device, cache=tmp_path, bert_source=str(tree)).load("tiny", str(tree))
    with pytest.raises(BackendMissing, match="speaker tiny"):
        tts.prepare()
