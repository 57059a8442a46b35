"""Decoder in two halves, one of them for bfloat16: on a processor without such units OpenVINO computes float32."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from benchmarks.decoder_modes import mixed_bfloat16, signal_to_noise
from benchmarks.voices import random_network
from koebin.engine import bfloat16_units
from koebin.engine.errors import InvalidCheckpoint
from koebin.engine.models.base import Utterance
from koebin.engine.models.jp_extra.hyper_parameters import HyperParameters
from koebin.engine.models.jp_extra.onnx.bert import OnnxBert
from koebin.engine.models.jp_extra.onnx.idle_threads import IdleThreads
from koebin.engine.models.jp_extra.onnx.mixed_decoder import MixedDecoder
from koebin.engine.models.jp_extra.onnx.published import prepare, prepare_halves
from koebin.engine.models.jp_extra.onnx.session import Session
from koebin.engine.models.jp_extra.onnx.voice import JpExtraOnnx
from koebin.engine.models.jp_extra.voice_format import HALFWAY, NARROW_HALF, TRIM, WIDE_HALF
from koebin.engine.models.jp_extra.voices import JpExtraVoices
from koebin.engine.options import SynthesisOptions
from koebin.engine.sources.base import SourceOptions
from koebin.engine.text.frontend import analyze
from tests.unit.engine.models.jp_extra.make_onnx_voices import CONFIG, publish
from tests.unit.engine.models.jp_extra.onnx_voices import ONNX, small_bert, small_tokens

LEAST_DECIBELS = 40.0
WIDER = {**CONFIG, "model": {**CONFIG["model"], "upsample_initial_channel": 256}}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A published voice that has stages of 128 and 64 channels, and narrower ones."""
    root = tmp_path_factory.mktemp("wide")
    weights = root / "weights"
    weights.mkdir()
    (weights / "config.json").write_text(json.dumps(WIDER), "utf-8")
    np.save(weights / "style_vectors.npy", np.random.default_rng(3).standard_normal((2, 256), np.float32) * 0.3)
    network = random_network(HyperParameters.parse(WIDER), seed=5)
    save_file(network.state_dict(), weights / "wide_e1_s1.safetensors")
    return publish(weights, root / "onnx", with_durations=False)


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.mark.slow
def test_the_halves_are_the_decoder(folder: Path, cache: Path) -> None:
    """By ONNX Runtime, so that only the division is tested: whole, and as a window with neighbours."""
    halves = prepare_halves(folder, cache)
    wide, narrow = Session(halves / WIDE_HALF), Session(halves / NARROW_HALF)
    whole = Session(prepare(folder, cache) / "decoder.onnx")
    z = np.random.default_rng(1).standard_normal((1, 8, 70), np.float32)
    for trim in ([0, 0], [13, 0], [5, 9]):
        feeds = {"z": z, "speaker_id": np.array([1]), TRIM: np.array(trim)}
        (wanted,) = whole.run(["audio"], feeds)
        (halfway,) = wide.run([HALFWAY], feeds)
        (audio,) = narrow.run(["audio"], {HALFWAY: halfway, TRIM: feeds[TRIM]})
        assert np.abs(wanted).max() > 0.01
        np.testing.assert_allclose(audio, wanted, atol=1e-5, rtol=0)


@pytest.mark.slow
def test_it_speaks_as_the_whole_one_does(folder: Path, cache: Path, tmp_path: Path) -> None:
    prepared, idle = prepare(folder, cache), IdleThreads(2)
    bert = OnnxBert(small_bert(tmp_path / "bert_q8.onnx", quantize=True).parent)
    exact = JpExtraOnnx(prepared, bert, small_tokens, idle)
    mixed = JpExtraOnnx(prepared, bert, small_tokens, idle, MixedDecoder(prepare_halves(folder, cache), 2))
    utterance = Utterance(analyze("柿と牡蠣を食べる季節ですが、何もありません。"), SynthesisOptions(), 1)
    (one,), (other,) = exact.synthesize([utterance]), mixed.synthesize([utterance])
    assert one.marks == other.marks
    assert one.samples.shape == other.samples.shape
    heard = signal_to_noise(torch.from_numpy(one.samples), torch.from_numpy(other.samples))
    assert heard >= LEAST_DECIBELS
    assert exact.revision != mixed.revision
    idle.close()


def test_it_is_taken_where_there_are_units_and_float32_elsewhere(
    folder: Path, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    small_bert(tmp_path / "bert/onnx/bert/q8/bert_q8.onnx", quantize=True)
    tokenizer = tmp_path / "bert/bert/tokenizer"
    tokenizer.mkdir(parents=True)
    (tokenizer / "vocab.txt").write_text("[PAD]\n[CLS]\n[SEP]\n[UNK]\n", "utf-8")
    (tmp_path / "bert/onnx/speakers").mkdir()
    (tmp_path / "bert/onnx/speakers/wide").symlink_to(folder)
    source = (tmp_path / "bert").as_uri()
    revisions = {}
    for mode, units in (("float32", ("amx_bf16",)), ("bfloat16", ("amx_bf16",)), ("bfloat16", ())):
        monkeypatch.setattr(bfloat16_units, "bfloat16_units", lambda units=units: units)
        voices = JpExtraVoices(SourceOptions(cache), source, 1, mode)  # type: ignore[arg-type]
        with caplog.at_level(logging.WARNING):
            revisions[mode, units] = voices.open("wide", source, "cpu").revision
        voices.close()
    assert revisions["bfloat16", ()] == revisions["float32", ("amx_bf16",)] != revisions["bfloat16", ("amx_bf16",)]
    assert [record.getMessage() for record in caplog.records if record.name.startswith("koebin.")] == [
        "the decoder of wide is in float32 instead of bfloat16: this processor has no units for bfloat16"
    ]


def test_a_decoder_without_wide_stages_says_so(cache: Path) -> None:
    with pytest.raises(InvalidCheckpoint, match="0 of 5 stages are wide"):
        prepare_halves(ONNX / "published", cache)


def test_rounding_of_the_wide_stages_alone_keeps_forty_decibels() -> None:
    """Of the real size; with all stages in bfloat16 it is 30 dB or less."""
    network = random_network(HyperParameters.parse({"version": "2.7.0-JP-Extra", "model": {}}), seed=3)
    z = torch.randn(1, 192, 20, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        exact = network.decode(z, None, torch.zeros(1, dtype=torch.int64))
        assert signal_to_noise(exact, mixed_bfloat16(network, z)) >= LEAST_DECIBELS
        assert signal_to_noise(exact, mixed_bfloat16(network, z, least_channels=1)) < LEAST_DECIBELS
