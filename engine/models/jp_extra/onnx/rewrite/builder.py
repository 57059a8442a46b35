"""Builder of ONNX graphs: writes nodes in sequence, and names the tensors between them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto, ValueInfoProto, helper, numpy_helper

Array = NDArray[Any]


class Builder:
    """Graph under construction. Signals are [B, C, H, W]; methods return the name of their output.

    Args:
        prefix: of all names, so that they meet no others.
    """

    def __init__(self, prefix: str) -> None:
        self.nodes: list[NodeProto] = []
        self.weights: list[TensorProto] = []
        self.shapes: list[ValueInfoProto] = []
        self._prefix = prefix
        self._count = 0
        self._names: dict[bytes, str] = {}

    def node(self, kind: str, *inputs: str, output: str = "", **attributes: Any) -> str:
        """Node of any operator with one output, named ``output`` if that is given."""
        output = output or self._name(kind)
        self.nodes.append(helper.make_node(kind, inputs, [output], **attributes))
        return output

    def constant(self, values: Array) -> str:
        """Name of a constant, shared with an equal one."""
        values = np.ascontiguousarray(values)
        content = hashlib.sha256(values.tobytes() + repr((values.dtype, values.shape)).encode()).digest()
        if content not in self._names:
            self._names[content] = self._name("weight")
            self.weights.append(numpy_helper.from_array(values, self._names[content]))
        return self._names[content]

    def integers(self, *values: int) -> str:
        return self.constant(np.array(values, np.int64))

    def convolution(
        self, x: str, weight: Array, bias: Array | None = None, pads: Sequence[int] = (0, 0, 0, 0), **attributes: Any
    ) -> str:
        """Convolution with ``weight`` of shape (O, C / group, height, width)."""
        constants = [self.constant(part.astype(np.float32)) for part in (weight, bias) if part is not None]
        return self.node("Conv", x, *constants, pads=pads, kernel_shape=weight.shape[2:], **attributes)

    def reshape(self, x: str, *shape: int) -> str:
        return self.node("Reshape", x, self.integers(*shape))

    def of_shape(self, x: str, *dimensions: int | str) -> str:
        """The same float32 tensor, annotated with its shape; sizes of one name are equal."""
        self.shapes.append(helper.make_tensor_value_info(x, TensorProto.FLOAT, dimensions))
        return x

    def _name(self, kind: str) -> str:
        self._count += 1
        return f"{self._prefix}_{kind.lower()}_{self._count}"
