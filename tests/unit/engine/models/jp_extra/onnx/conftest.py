"""A small random voice for ONNX Runtime: exported by us, as it would be published, and the torch network of both."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from engine.models.bert_onnx import OnnxBert
from engine.models.checkpoint import find_weights, load_synthesizer
from engine.models.hyper_parameters import HyperParameters
from engine.models.idle_threads import IdleThreads
from engine.models.jp_extra.synthesizer import Synthesizer
from engine.models.jp_extra_onnx import JpExtraOnnx
from engine.models.onnx_network import OnnxNetwork
from engine.models.published import prepare
from tests.unit.models.onnx_voices import ONNX, small_bert, small_tokens


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
