"""Convolutions in phases against the sums that they stand for."""

from __future__ import annotations

import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto, helper
from onnx.numpy_helper import to_array

from koebin.engine.models.jp_extra.onnx.rewrite.builder import Builder
from koebin.engine.models.jp_extra.onnx.rewrite.fast_convolution import PHASES, Algorithm, convolve_phases

Array = np.ndarray


def directly(x: Array, weight: Array, bias: Array, dilation: int) -> Array:
    """[C, L] -> [O, L], in float64."""
    kernel, length = weight.shape[2], x.shape[1]
    around = np.pad(x.astype(np.float64), ((0, 0), (kernel // 2 * dilation,) * 2))
    taps = [weight[:, :, k] @ around[:, k * dilation : k * dilation + length] for k in range(kernel)]
    return np.sum(taps, axis=0) + bias[:, None]


@pytest.mark.parametrize("taps", [3, 4, 7, 11])
def test_a_tile_is_the_sum_of_products_with_fewer_multiplications(taps: int) -> None:
    algorithm, draws = Algorithm(taps), np.random.default_rng(0)
    g, x = draws.standard_normal(taps), draws.standard_normal(algorithm.products)
    tile = algorithm.after @ ((algorithm.weights @ g) * (algorithm.before @ x))
    np.testing.assert_allclose(tile, np.correlate(x, g, "valid"), atol=1e-12)
    assert algorithm.products <= taps * PHASES / 1.99


@pytest.mark.parametrize("dilation", [1, 3, 5])
@pytest.mark.parametrize(
    ("kernel", "channels"),
    [*((kernel, channels) for kernel in (1, 3, 5, 7, 11, 13) for channels in (16, 5)), (11, 256)],
)
def test_a_convolution_in_phases(kernel: int, dilation: int, channels: int) -> None:
    """With channels that ONNX Runtime has blocked kernels for, and with others; of utterances of any length."""
    draws, wide = np.random.default_rng(kernel), channels == 256
    weight = draws.standard_normal((channels, channels, kernel), np.float32) / np.float32((channels * kernel) ** 0.5)
    bias = draws.standard_normal(channels, np.float32)
    build = Builder("test")
    y = convolve_phases(build, "x", weight, bias, dilation)
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["B", channels, 4, name * 2]) for name in ("x", y)]
    graph = helper.make_graph(build.nodes, "graph", ends[:1], ends[1:], build.weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    for columns in (1, 2, 40):
        x = draws.standard_normal((2, channels, 4 * columns), np.float32)
        phases = x.reshape(2, channels, columns, 4).transpose(0, 1, 3, 2)
        (found,) = session.run(None, {"x": np.ascontiguousarray(phases)})
        assert found.shape == phases.shape
        for item, signal in zip(found.transpose(0, 1, 3, 2).reshape(x.shape), x, strict=True):
            np.testing.assert_allclose(item, directly(signal, weight, bias, dilation), atol=1e-4 if wide else 2e-5)
    if (kernel, channels) in ((7, 16), (11, 16), (11, 256)):
        multiplications = max(to_array(tensor).size for tensor in build.weights if tensor.dims[1:2] != [1]) / PHASES
        assert multiplications < (0.5 if (kernel, channels) == (11, 16) else 0.36) * weight.size
