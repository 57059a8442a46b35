"""The decoder's graph as it is rewritten for a CPU against the torch module, with channels enough for all of it."""

from __future__ import annotations

import warnings

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import ModelProto, TensorProto, helper, numpy_helper
from torch import Tensor

from koebin.engine.models.jp_extra.export import OPSET
from koebin.engine.models.jp_extra.hyper_parameters import HyperParameters
from koebin.engine.models.jp_extra.onnx.rewrite import decoder as onnx_decoder
from koebin.engine.models.jp_extra.onnx.rewrite.convolutions import convolutions_as_2d
from koebin.engine.models.jp_extra.onnx.rewrite.decoder import decoder_for_cpu
from koebin.engine.models.jp_extra.onnx.rewrite.graph import Graph
from koebin.engine.models.jp_extra.onnx.rewrite.hifigan import read_generator
from koebin.engine.models.jp_extra.torch.decoder import Decoder

SIZES = {
    "inter_channels": 8,
    "upsample_initial_channel": 128,
    "upsample_rates": [4, 3, 2],
    "upsample_kernel_sizes": [8, 7, 2],
    "resblock_kernel_sizes": [3, 7, 11],
    "resblock_dilation_sizes": [[1, 3, 5]] * 3,
    "gin_channels": 4,
}
HOP, OVERLAP = 24, 30


class Alone(torch.nn.Module):
    def __init__(self, decoder: Decoder) -> None:
        super().__init__()
        self.decoder = decoder

    def forward(self, z: Tensor) -> Tensor:
        audio: Tensor = self.decoder(z, None, torch.ones(1, 4, 1))
        return audio.squeeze(1)


@pytest.fixture(scope="module")
def decoder() -> Alone:
    torch.manual_seed(0)
    module = Decoder(HyperParameters.parse({"version": "2.7.0-JP-Extra", "model": SIZES}))
    with torch.no_grad():
        for parameter in module.parameters():
            fan = parameter[0].numel() if parameter.ndim > 1 else 100
            parameter.copy_(torch.randn_like(parameter) * (1.5 / fan) ** 0.5)
    return Alone(module).eval()


@pytest.fixture(scope="module")
def model(decoder: Alone, tmp_path_factory: pytest.TempPathFactory) -> ModelProto:
    path = tmp_path_factory.mktemp("decoder") / "decoder.onnx"
    axes = {"z": {0: "batch", 2: "frames"}, "audio": {0: "batch", 1: "samples"}}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the tracer says of every shape that it is traced
        torch.onnx.export(
            decoder,
            (torch.zeros(2, 8, 17),),
            str(path),
            dynamo=False,
            opset_version=OPSET,
            input_names=["z"],
            output_names=["audio"],
            dynamic_axes=axes,
        )
    return onnx.load(str(path))


def run(model: ModelProto, z: np.ndarray, *trim: int) -> np.ndarray:
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    feeds = {"z": z, "trim": np.array(trim)} if trim else {"z": z}
    return np.asarray(session.run(None, feeds)[0])


def multiplications(model: ModelProto) -> int:
    """Weights of convolutions that look at more than their own channel."""
    weights = {tensor.name: tensor for tensor in model.graph.initializer}
    used = [weights[node.input[1]].dims for node in model.graph.node if node.op_type == "Conv"]
    return max(int(np.prod(dims)) for dims in used if dims[1] > 1)


@torch.inference_mode()
@pytest.mark.parametrize(("batch", "frames"), [(1, 1), (1, 40), (3, 21)])
def test_the_rewritten_graph_gives_what_the_network_does(
    decoder: Alone, model: ModelProto, batch: int, frames: int
) -> None:
    z = torch.randn(batch, 8, frames, generator=torch.Generator().manual_seed(1))
    audio = decoder(z).numpy()
    assert np.abs(audio).mean() > 0.05
    np.testing.assert_allclose(run(decoder_for_cpu(model), z.numpy(), 0, 0), audio, atol=1e-5)


@torch.inference_mode()
def test_a_stage_has_as_many_filters_in_phases_as_pay(
    decoder: Alone, model: ModelProto, monkeypatch: pytest.MonkeyPatch
) -> None:
    z = torch.randn(1, 8, 21, generator=torch.Generator().manual_seed(1))
    monkeypatch.setattr(onnx_decoder, "SHORTEST", {range(16, 17): 1, range(32, 33): 4, range(64, 65): 8})
    rewritten = decoder_for_cpu(model)
    np.testing.assert_allclose(run(rewritten, z.numpy(), 0, 0), decoder(z).numpy(), atol=1e-5)
    weights = {tuple(tensor.dims) for tensor in rewritten.graph.initializer}
    in_rows = {dims for dims in weights if dims in {(c, c, 1, k) for c in (16, 32, 64) for k in (3, 7, 11)}}
    assert in_rows == {(32, 32, 1, 3), (64, 64, 1, 3), (64, 64, 1, 7)}
    in_phases = {(c, c, *p) for c in (16, 32, 64) for p in ((6, 1), (10, 1), (7, 3))}
    assert weights & in_phases == in_phases - {(32, 32, 6, 1), (64, 64, 6, 1), (64, 64, 10, 1)}


def test_both_parts_of_every_residual_sum_are_known_to_be_of_one_shape(model: ModelProto) -> None:
    """So that ONNX Runtime makes the sum a part of the convolution."""
    rewritten = decoder_for_cpu(model)
    shapes = {
        value.name: [size.dim_param or size.dim_value for size in value.type.tensor_type.shape.dim]
        for value in rewritten.graph.value_info
    }
    sums = [node for node in rewritten.graph.node if node.op_type == "Add" and shapes.keys() >= {*node.input}]
    residual = [node for node in sums if node.output[0] in shapes]
    assert len(residual) == 3 * 3 * 3  # pairs of a block, blocks of a stage, stages
    assert all(shapes[node.input[0]] == shapes[node.input[1]] == shapes[node.output[0]] for node in residual)


@pytest.mark.parametrize(("left", "right"), [(OVERLAP, OVERLAP), (0, OVERLAP), (1, 0)])
def test_what_is_trimmed_changes_nothing_about_the_rest(model: ModelProto, left: int, right: int) -> None:
    """A window of z with the frames around it that its samples depend on, and no more."""
    z = np.random.default_rng(2).standard_normal((1, 8, 100), np.float32)
    rewritten = decoder_for_cpu(model)
    start, stop = (50 if left == OVERLAP else left), (60 if right == OVERLAP else 100 - right)
    part = run(rewritten, z[:, :, start - left : stop + right], left, right)
    whole = run(rewritten, z, 0, 0)
    np.testing.assert_allclose(part, whole[:, start * HOP : stop * HOP], atol=1e-5)


def test_stages_behind_the_first_see_less_than_all(model: ModelProto) -> None:
    generator = read_generator(Graph(model), "audio")
    assert [stage.up.rate for stage in generator.stages] == [4, 3, 2]
    assert 0 < generator.reach_behind_first_stage < OVERLAP / 2


def test_a_graph_of_another_kind_is_trimmed_at_its_end() -> None:
    draws = np.random.default_rng(3)
    weights = [
        numpy_helper.from_array(draws.standard_normal(shape, np.float32), name)
        for name, shape in (("w1", (6, 8, 3)), ("w2", (6, 1, 4)))
    ]
    nodes = [
        helper.make_node("Conv", ["z", "w1"], ["a"], pads=[1, 1]),
        helper.make_node("ConvTranspose", ["a", "w2"], ["b"], strides=[4]),
        helper.make_node("Flatten", ["b"], ["audio"]),
    ]
    ends = [
        helper.make_tensor_value_info("z", TensorProto.FLOAT, [1, 8, "frames"]),
        helper.make_tensor_value_info("audio", TensorProto.FLOAT, [1, "samples"]),
    ]
    graph = helper.make_graph(nodes, "graph", ends[:1], ends[1:], weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)
    z = draws.standard_normal((1, 8, 9), np.float32)
    np.testing.assert_allclose(run(decoder_for_cpu(model), z, 2, 3), run(model, z)[:, 8:-12], atol=1e-5)


def test_fewer_multiplications_than_in_plain_convolutions(model: ModelProto) -> None:
    """Of the widest convolution: 3 groups of 7 products for 4 samples instead of 11 taps for each."""
    plain, rewritten = multiplications(convolutions_as_2d(model)), multiplications(decoder_for_cpu(model))
    assert plain == 64 * 64 * 11
    assert rewritten == 64 * 64 * 3 * 7
    assert rewritten / 4 < 0.5 * plain
