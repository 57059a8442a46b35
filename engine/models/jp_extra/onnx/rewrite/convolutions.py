"""1-D convolutions rewritten as 2-D ones of height 1: the same numbers, by kernels that ONNX Runtime has only for 2-D.

On a CPU its blocked (NCHWc) kernels take 2-D convolutions only; a vocoder is nearly all convolutions. Values stay
four-dimensional from one convolution to the next, so that ONNX Runtime can keep them in its blocked layout.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import onnx
from onnx import ModelProto, NodeProto, helper, numpy_helper

from koebin.engine.models.jp_extra.onnx.rewrite.graph import reads

_CONVOLUTIONS: Final = ("Conv", "ConvTranspose")
_UNARY: Final = ("LeakyRelu", "Relu", "Tanh", "Identity", "Erf")
_BINARY: Final = ("Add", "Sub", "Mul", "Div")
_AXES: Final = "koebin_axis_2"
_PADDED: Final = {"kernel_shape": 1, "strides": 1, "dilations": 1, "output_padding": 0}


def convolutions_as_2d(model: ModelProto) -> ModelProto:
    """Model of the same inputs, outputs and results whose 1-D convolutions are 2-D.

    Every operator that is not known to work alike on four dimensions is given three-dimensional values again, so the
    rewrite is right for any graph and fast for one that is mostly convolutions.
    """
    result = ModelProto()
    result.CopyFrom(model)
    rewrite = _Rewrite(result)
    rewrite.run()
    return result


class _Rewrite:
    def __init__(self, model: ModelProto) -> None:
        self.graph = model.graph
        self.weights = {tensor.name: tensor for tensor in self.graph.initializer}
        self.constants = {node.output[0]: node for node in self.graph.node if node.op_type == "Constant"}
        self.nodes: list[NodeProto] = []
        self.tall: set[str] = set()
        """Tensors that are replaced by a 4-D one, of their name with ``_4d``."""
        self.flat: set[str] = set()
        """Those of ``tall`` that were converted back."""
        self.raised: set[str] = set()
        self.turned: set[str] = set()
        """Weights."""

    def run(self) -> None:
        for node in list(self.graph.node):
            if node.op_type in _CONVOLUTIONS and self._is_1d(node):
                self._convolution(node)
            elif (node.op_type in _UNARY and node.input[0] in self.tall) or (
                node.op_type in _BINARY and self._all_tall(node)
            ):
                self._elementwise(node)
            else:
                for name in reads(node):
                    self._lower(name)
                self.nodes.append(node)
        for output in self.graph.output:
            self._lower(output.name)
        del self.graph.node[:]
        self.graph.node.extend(self.nodes)
        del self.graph.value_info[:]
        self.graph.initializer.append(numpy_helper.from_array(np.array([2], np.int64), _AXES))

    def _is_1d(self, node: NodeProto) -> bool:
        name = node.input[1]
        return name in self.turned or (name in self.weights and len(self.weights[name].dims) == 3)

    def _convolution(self, node: NodeProto) -> None:
        weight = self.weights[node.input[1]]
        if weight.name not in self.turned:  # two convolutions may share it
            outer, inner, kernel = weight.dims
            del weight.dims[:]
            weight.dims.extend([outer, inner, 1, kernel])
            self.turned.add(weight.name)
        tall = NodeProto()
        tall.CopyFrom(node)
        tall.input[0] = self._raise(node.input[0])
        tall.output[0] = _tall(node.output[0])
        for attribute in tall.attribute:
            if attribute.name in _PADDED:
                attribute.ints.insert(0, _PADDED[attribute.name])
            elif attribute.name == "pads":
                left, right = attribute.ints
                del attribute.ints[:]
                attribute.ints.extend([0, left, 0, right])
        self.nodes.append(tall)
        self.tall.add(node.output[0])

    def _elementwise(self, node: NodeProto) -> None:
        tall = NodeProto()
        tall.CopyFrom(node)
        for i, name in enumerate(node.input):
            if name in self.tall:
                tall.input[i] = _tall(name)
        tall.output[0] = _tall(node.output[0])
        self.nodes.append(tall)
        self.tall.add(node.output[0])

    def _all_tall(self, node: NodeProto) -> bool:
        return any(name in self.tall for name in node.input) and all(
            name in self.tall or self._is_single(name) for name in node.input
        )

    def _is_single(self, name: str) -> bool:
        """Whether this is a constant of one element, which broadcasts over any number of dimensions."""
        if name in self.weights:
            dims = self.weights[name].dims
            return len(dims) <= 3 and all(size == 1 for size in dims)
        if name in self.constants:
            value = helper.get_attribute_value(self.constants[name].attribute[0])
            return isinstance(value, float) or (
                isinstance(value, onnx.TensorProto) and all(size == 1 for size in value.dims) and len(value.dims) <= 3
            )
        return False

    def _raise(self, name: str) -> str:
        if name not in self.tall and name not in self.raised:
            self.nodes.append(helper.make_node("Unsqueeze", [name, _AXES], [_tall(name)]))
            self.raised.add(name)
        return _tall(name)

    def _lower(self, name: str) -> None:
        if name in self.tall and name not in self.flat:
            self.nodes.append(helper.make_node("Squeeze", [_tall(name), _AXES], [name]))
            self.flat.add(name)


def _tall(name: str) -> str:
    return f"{name}_4d"
