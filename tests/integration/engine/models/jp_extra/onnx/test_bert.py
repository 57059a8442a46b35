"""BERT on ONNX Runtime."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from koebin.engine.errors import BackendMissing, InferenceFailed, InvalidCheckpoint
from koebin.engine.models.jp_extra.onnx.bert import OnnxBert, expand
from koebin.engine.models.jp_extra.onnx.published import keep_bert
from tests.unit.engine.models.jp_extra.onnx_voices import ONNX, small_bert


def test_the_8_bit_graph_is_preferred(tmp_path: Path) -> None:
    small_bert(tmp_path / "bert_fp32.onnx", quantize=False)
    assert OnnxBert(tmp_path).path.name == "bert_fp32.onnx"
    small_bert(tmp_path / "bert_q8.onnx", quantize=True)
    assert OnnxBert(tmp_path).path.name == "bert_q8.onnx"
    assert OnnxBert(tmp_path / "bert_fp32.onnx").path.name == "bert_fp32.onnx"


def test_an_utterance_gets_the_same_features_in_any_thread(bert: OnnxBert) -> None:
    texts = [[1, *range(3, 3 + length), 2] for length in range(1, 20)]
    alone = [bert.features(text) for text in texts]
    assert [features.shape for features in alone] == [(len(text), 1024) for text in texts]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(bert.features, texts))
    assert all((one == other).all() for one, other in zip(alone, together, strict=True))


def test_the_prepared_copy_gives_the_same_and_is_made_once(bert: OnnxBert, tmp_path: Path) -> None:
    for _ in range(2):
        prepared = OnnxBert(bert.path, tmp_path)
        assert (prepared.features([1, 9, 30, 2]) == bert.features([1, 9, 30, 2])).all()
        assert prepared.sha256 == bert.sha256
    (folder,) = (path for path in (tmp_path / "prepared").iterdir() if path.is_dir())
    assert sorted(path.name for path in folder.iterdir()) == ["bert.data", "bert.onnx"]


def test_what_is_kept_is_the_same_with_the_same_revision_and_needs_no_cache(bert: OnnxBert, tmp_path: Path) -> None:
    keep_bert(bert.path, tmp_path / "kept")
    kept = OnnxBert(tmp_path / "kept", tmp_path / "cache")
    assert (kept.features([1, 9, 30, 2]) == bert.features([1, 9, 30, 2])).all()
    assert kept.sha256 == bert.sha256
    assert not (tmp_path / "cache").exists()


def test_8_bits_are_near_to_32(bert: OnnxBert, tmp_path: Path) -> None:
    full = OnnxBert(small_bert(tmp_path / "bert_fp32.onnx", quantize=False))
    difference = np.abs(full.features([1, 9, 30, 2]) - bert.features([1, 9, 30, 2])).max()
    assert 0 < difference < 0.1


def test_an_unknown_token_is_an_error(bert: OnnxBert) -> None:
    with pytest.raises(InferenceFailed):
        bert.features([1, 6400, 2])


def test_what_is_missing_or_damaged_is_named(tmp_path: Path) -> None:
    with pytest.raises(BackendMissing, match=r"bert_q8\.onnx or bert_fp32\.onnx"):
        OnnxBert(tmp_path)
    (tmp_path / "bert_q8.onnx").write_bytes(b"no graph")
    with pytest.raises(InvalidCheckpoint, match=r"bert_q8\.onnx"):
        OnnxBert(tmp_path)
    with pytest.raises(InvalidCheckpoint, match="unknown inputs"):
        OnnxBert(ONNX / "exported" / "decoder.onnx")


def test_features_are_repeated_over_phones() -> None:
    features = np.arange(6, dtype=np.float32).reshape(3, 2)
    assert expand(features, [1, 0, 2]).tolist() == [[0.0, 4.0, 4.0], [1.0, 5.0, 5.0]]
