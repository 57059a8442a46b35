"""BERT on ONNX Runtime: features per character, shared by all speakers of a process."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from koebin.engine.errors import BackendMissing, InvalidCheckpoint
from koebin.engine.models.jp_extra.hyper_parameters import BERT_DIMENSION
from koebin.engine.models.jp_extra.onnx.published import prepare_bert, published_checksum
from koebin.engine.models.jp_extra.onnx.session import Session, sha256
from koebin.engine.observer import stage

FloatArray = NDArray[np.float32]

_FILES: Final = ("bert_q8.onnx", "bert_fp32.onnx")


class OnnxBert:
    """BERT graph, 8-bit or float32. Any number of threads may use it at once.

    One utterance at a time: the 8-bit graph measures the range of its activations over all that it is given, so what
    shares a batch with an utterance would change its features.

    Args:
        path: a graph, or a folder with ``bert_q8.onnx`` or ``bert_fp32.onnx``; the 8-bit one is preferred. As it is
            published, or as ``koebin.engine.models.jp_extra.onnx.published.keep_bert`` wrote it.
        cache: where a copy is kept that takes a quarter of the time and memory to load; None loads the graph itself.

    Raises:
        BackendMissing: no such file, or no onnxruntime.
        InvalidCheckpoint: not a graph that takes tokens and gives features.
    """

    def __init__(self, path: Path, cache: Path | None = None) -> None:
        self.path = find_graph(path)
        kept = published_checksum(self.path)
        graph = self.path if cache is None or kept else prepare_bert(self.path, cache, self.sha256)
        self._session = Session(graph, threads=2)  # a single utterance waits for it, and all other cores as well
        self._session.require(("input_ids", "attention_mask"), ())
        if len(self._session.outputs) != 1:
            raise InvalidCheckpoint("BERT's graph has more than one output", str(self.path))

    @cached_property
    def sha256(self) -> str:
        """Checksum of the graph's file, as published."""
        return published_checksum(self.path) or sha256(self.path)

    @stage("bert")
    def features(self, token_ids: Sequence[int]) -> FloatArray:
        """Features per token.

        Args:
            token_ids: S ids, [CLS] and [SEP] included.

        Returns:
            Shape (S, 1024), float32.

        Raises:
            InferenceFailed: an unknown token, or not a number.
        """
        ids = np.array([token_ids], np.int64)
        inputs = {"input_ids": ids, "attention_mask": np.ones_like(ids)}
        hidden: FloatArray = self._session.run(self._session.outputs, inputs)[0][0]
        if hidden.shape != (len(token_ids), BERT_DIMENSION):
            raise InvalidCheckpoint(f"BERT gives features of the wrong shape {hidden.shape}", str(self.path))
        return hidden


def find_graph(path: Path) -> Path:
    """The graph itself, or the preferred one of a folder.

    Raises:
        BackendMissing: there is none.
    """
    if path.is_file():
        return path
    for name in _FILES:
        if (path / name).is_file():
            return path / name
    raise BackendMissing("BERT's ONNX graph is missing", str(path), f"Add {' or '.join(_FILES)} to the folder")


def expand(features: FloatArray, phones_per_token: Sequence[int]) -> FloatArray:
    """Repeat each token's features over its phones.

    Args:
        features: shape (S, 1024).
        phones_per_token: S numbers of phones, blanks included; they sum to T.

    Returns:
        Shape (1024, T), float32.
    """
    return np.ascontiguousarray(np.repeat(features, phones_per_token, axis=0).T)
