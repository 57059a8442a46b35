"""1-D convolutions as 2-D ones: the same results in any graph."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
from onnx import ModelProto, TensorProto, helper, numpy_helper

from koebin.engine.models.jp_extra.onnx.rewrite.convolutions import convolutions_as_2d


def run(model: ModelProto, x: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return np.asarray(session.run(None, {"x": x})[0])


def test_the_rewritten_graph_gives_the_same() -> None:
    """A weight that two convolutions share, dilation, strides, and operators that know three dimensions only."""
    draws = np.random.default_rng(0)

    def weight(name: str, *shape: int) -> TensorProto:
        return numpy_helper.from_array(draws.standard_normal(shape, np.float32) * np.float32(0.2), name)

    nodes = [
        helper.make_node("Conv", ["x", "w1", "b1"], ["a"], kernel_shape=[3], pads=[2, 2], dilations=[2]),
        helper.make_node("LeakyRelu", ["a"], ["b"], alpha=0.1),
        helper.make_node("Conv", ["b", "w1"], ["c"], kernel_shape=[3], pads=[1, 1]),
        helper.make_node("Add", ["c", "a"], ["d"]),
        helper.make_node("Mul", ["d", "half"], ["e"]),
        helper.make_node("ConvTranspose", ["e", "w2"], ["f"], strides=[4], pads=[2, 2], output_padding=[1]),
        helper.make_node("Transpose", ["f"], ["g"], perm=[0, 2, 1]),
        helper.make_node("Transpose", ["g"], ["h"], perm=[0, 2, 1]),
        helper.make_node("Add", ["h", "per_channel"], ["i"]),
        helper.make_node("Conv", ["i", "w3"], ["j"], strides=[2]),
        helper.make_node("Mul", ["f", "per_channel"], ["k"]),
        helper.make_node("Concat", ["k", "h"], ["l"], axis=2),
        helper.make_node("Concat", ["l", "j"], ["y"], axis=2),
    ]
    constants = [weight("w1", 6, 6, 3), weight("b1", 6), weight("w2", 6, 6, 8), weight("w3", 6, 6, 1)]
    constants += [weight("per_channel", 6, 1), numpy_helper.from_array(np.float32(0.5), "half")]
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 6, name * 2]) for name in ("x", "y")]
    graph = helper.make_graph(nodes, "graph", values[:1], values[1:], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)
    onnx.checker.check_model(model)
    rewritten = convolutions_as_2d(model)
    onnx.checker.check_model(rewritten)
    weights = {tensor.name: list(tensor.dims) for tensor in rewritten.graph.initializer}
    assert weights["w1"] == [6, 6, 1, 3]
    assert weights["w2"] == [6, 6, 1, 8]
    for length in (5, 32):
        x = draws.standard_normal((1, 6, length), np.float32)
        assert np.abs(run(rewritten, x) - run(model, x)).max() < 1e-5
