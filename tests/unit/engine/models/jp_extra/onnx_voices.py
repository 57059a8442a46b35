"""A small voice for ONNX Runtime, and a BERT to go with it. Imports no torch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

ONNX = Path(__file__).parents[4] / "golden" / "onnx"
"""Made by ``tests.unit.engine.models.jp_extra.make_onnx_voices``."""


def small_bert(path: Path, quantize: bool) -> Path:
    """A graph with BERT's inputs and output and one matrix product, 8-bit if asked for; 64 tokens."""
    draws = np.random.default_rng(5)
    table = numpy_helper.from_array(draws.standard_normal((64, 32), np.float32), "table")
    weight = numpy_helper.from_array(draws.standard_normal((32, 1024), np.float32) * np.float32(0.2), "weight")
    nodes = [
        helper.make_node("Gather", ["table", "input_ids"], ["embedded"]),
        helper.make_node("MatMul", ["embedded", "weight"], ["features"]),
        helper.make_node("Unsqueeze", ["attention_mask", "last"], ["column"]),
        helper.make_node("Cast", ["column"], ["mask"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["features", "mask"], ["hidden_states"]),
    ]
    batch = ["batch", "tokens"]
    graph = helper.make_graph(
        nodes,
        "bert",
        [helper.make_tensor_value_info(name, TensorProto.INT64, batch) for name in ("input_ids", "attention_mask")],
        [helper.make_tensor_value_info("hidden_states", TensorProto.FLOAT, [*batch, 1024])],
        [table, weight, numpy_helper.from_array(np.array([-1]), "last")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)
    path.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(model, str(path))
    if quantize:
        from onnxruntime.quantization import QuantType, quantize_dynamic

        full = path.replace(path.with_suffix(".full"))
        quantize_dynamic(str(full), str(path), weight_type=QuantType.QInt8, op_types_to_quantize=["MatMul"])
        full.unlink()
    return path


def small_tokens(text: str) -> list[int]:
    """Ids for ``small_bert``."""
    return [1, *(4 + ord(char) % 60 for char in text), 2]
