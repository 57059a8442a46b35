"""Text encoder files for ONNX Runtime: a graph that takes its weights as inputs, and the weights."""

from __future__ import annotations

import tempfile
from pathlib import Path

import onnx
from onnx import ModelProto, TensorProto, helper, numpy_helper
from safetensors.numpy import save

from koebin.engine.models.jp_extra.onnx.mapped_weights import Weights
from koebin.engine.models.jp_extra.onnx.session import simplify
from koebin.engine.models.jp_extra.voice_format import ENCODER, ENCODER_WEIGHTS


def write_encoder(model: ModelProto, folder: Path) -> None:
    """Write ``encoder.onnx`` and ``encoder.data``."""
    with tempfile.TemporaryDirectory() as temporary:
        whole, simple = Path(temporary, "whole.onnx"), Path(temporary, "simple.onnx")
        whole.write_bytes(model.SerializeToString())
        simplify(whole, simple)
        graph, weights = weights_as_inputs(onnx.load(str(simple)))
    (folder / ENCODER).write_bytes(graph.SerializeToString())
    (folder / ENCODER_WEIGHTS).write_bytes(save(weights))


def weights_as_inputs(model: ModelProto) -> tuple[ModelProto, Weights]:
    """Graph whose float32 arrays became inputs of their names, and those arrays."""
    result = ModelProto()
    result.CopyFrom(model)
    graph = result.graph
    weights = {}
    for tensor in model.graph.initializer:
        if tensor.data_type == TensorProto.FLOAT and tensor.dims:
            weights[tensor.name] = numpy_helper.to_array(tensor)
            graph.input.append(helper.make_tensor_value_info(tensor.name, TensorProto.FLOAT, tensor.dims))
    kept = [tensor for tensor in model.graph.initializer if tensor.name not in weights]
    del graph.initializer[:]
    graph.initializer.extend(kept)
    return result, weights
