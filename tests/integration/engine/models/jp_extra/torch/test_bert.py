"""A small random DeBERTa: cut layers, padded batches, and its ONNX export."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
from safetensors.torch import load_file, save_file

from koebin.engine.errors import BackendMissing, InferenceFailed, InvalidCheckpoint
from koebin.engine.models.jp_extra.export import export_bert
from koebin.engine.models.jp_extra.torch.bert import TorchBert, expand

BATCH = [[1, *range(5, 5 + length), 2] for length in (3, 40, 1, 17)]


@pytest.fixture(scope="module")
def reference() -> Any:
    from transformers import DebertaV2Config, DebertaV2ForMaskedLM

    torch.manual_seed(0)
    config = DebertaV2Config(
        vocab_size=120,
        hidden_size=32,
        num_hidden_layers=4,
        num_attention_heads=2,
        intermediate_size=48,
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
    model: Any = DebertaV2ForMaskedLM(config).eval().requires_grad_(False)
    for parameter in model.parameters():
        parameter.normal_(std=0.2)
    return model


@pytest.fixture(scope="module")
def folder(reference: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As it is published: float16 in the configuration, head and all layers in the weights."""

    folder = tmp_path_factory.mktemp("bert")
    config = reference.config.to_dict() | {"dtype": "float16", "architectures": ["DebertaV2ForMaskedLM"]}
    (folder / "config.json").write_text(json.dumps(config))
    save_file(
        {name: tensor.contiguous() for name, tensor in reference.state_dict().items() if "decoder" not in name},
        folder / "model.safetensors",
    )
    (folder / "vocab.txt").write_text("[PAD]\n[CLS]\n[SEP]\n")
    return folder


def test_features_are_the_state_three_before_the_last(reference: Any, folder: Path) -> None:
    bert = TorchBert(folder)
    assert {parameter.dtype for parameter in bert.model.parameters()} == {torch.float32}
    for ids in BATCH:
        hidden = reference(torch.tensor([ids]), output_hidden_states=True).hidden_states[-3][0]
        np.testing.assert_allclose(bert.hidden([ids])[0].numpy(), hidden.numpy(), atol=1e-6, rtol=0)


def test_padding_changes_nothing(folder: Path) -> None:
    bert = TorchBert(folder)
    for ids, features in zip(BATCH, bert.hidden(BATCH), strict=True):
        assert features.shape == (len(ids), 32)
        torch.testing.assert_close(features, bert.hidden([ids])[0], atol=1e-5, rtol=0)


def test_features_are_repeated_over_the_phones_of_their_character() -> None:
    features = torch.arange(6).view(3, 2)
    assert expand(features, [1, 0, 3]).tolist() == [[0, 1], [4, 5], [4, 5], [4, 5]]


def test_a_token_beyond_the_vocabulary_is_refused(folder: Path) -> None:
    with pytest.raises(InferenceFailed, match="token"):
        TorchBert(folder).hidden([[1, 120, 2]])


@pytest.mark.parametrize(("quantize", "name", "tolerance"), [(False, "fp32", 1e-4), (True, "q8", 0.2)])
def test_the_exported_graph(folder: Path, tmp_path: Path, quantize: bool, name: str, tolerance: float) -> None:
    target = export_bert(folder, tmp_path / "out", quantize)
    assert sorted(path.name for path in target.iterdir()) == [f"bert_{name}.onnx", "vocab.txt"]
    graph = onnxruntime.InferenceSession(str(target / f"bert_{name}.onnx"), providers=["CPUExecutionProvider"])
    bert = TorchBert(folder)
    for ids in BATCH:
        inputs = {"input_ids": np.array([ids]), "attention_mask": np.ones((1, len(ids)), np.int64)}
        hidden = graph.run(["hidden_states"], inputs)[0]
        np.testing.assert_allclose(hidden[0], bert.hidden([ids])[0].numpy(), atol=tolerance, rtol=0)


def test_folders_that_hold_no_such_bert_are_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(BackendMissing, match=r"config\.json"):
        TorchBert(tmp_path)
    config = json.loads((folder / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config | {"model_type": "bert"}))
    with pytest.raises(InvalidCheckpoint, match="not that of a DeBERTa-v2"):
        TorchBert(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "pytorch_model.bin").write_bytes(pickle.dumps({}))
    with pytest.raises(InvalidCheckpoint, match="no safetensors"):
        TorchBert(tmp_path)
    weights = load_file(folder / "model.safetensors")
    weights.pop("deberta.encoder.layer.1.output.dense.bias")
    save_file(weights, tmp_path / "model.safetensors")
    with pytest.raises(InvalidCheckpoint, match=r"encoder\.layer\.1\.output\.dense\.bias"):
        TorchBert(tmp_path)
