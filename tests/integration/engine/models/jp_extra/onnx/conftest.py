"""A small random voice for ONNX Runtime: exported by us, as it would be published, and the torch network of both."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from koebin.engine.models.jp_extra.hyper_parameters import HyperParameters
from koebin.engine.models.jp_extra.onnx.bert import OnnxBert
from koebin.engine.models.jp_extra.onnx.idle_threads import IdleThreads
from koebin.engine.models.jp_extra.onnx.network import OnnxNetwork
from koebin.engine.models.jp_extra.onnx.published import prepare
from koebin.engine.models.jp_extra.onnx.voice import JpExtraOnnx
from koebin.engine.models.jp_extra.torch.checkpoint import find_weights, load_synthesizer
from koebin.engine.models.jp_extra.torch.synthesizer import Synthesizer
from tests.unit.engine.models.jp_extra.onnx_voices import ONNX, small_bert, small_tokens


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def exported() -> Path:
    return ONNX / "exported"


@pytest.fixture(scope="session")
def published() -> Path:
    return ONNX / "published"


@pytest.fixture(scope="session")
def prepared(published: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return prepare(published, tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="session", params=["exported", "prepared"])
def network(request: pytest.FixtureRequest) -> OnnxNetwork:
    return OnnxNetwork(request.getfixturevalue(request.param))


@pytest.fixture(scope="session")
def synthesizer() -> Synthesizer:
    sizes = HyperParameters.load(ONNX / "weights" / "config.json")
    return load_synthesizer(find_weights(ONNX / "weights"), sizes)


@pytest.fixture(scope="session")
def bert(tmp_path_factory: pytest.TempPathFactory) -> OnnxBert:
    return OnnxBert(small_bert(tmp_path_factory.mktemp("bert") / "bert_q8.onnx", quantize=True).parent)


@pytest.fixture(scope="session")
def voice(exported: Path, bert: OnnxBert) -> JpExtraOnnx:
    return JpExtraOnnx(exported, bert, small_tokens, IdleThreads(4))
