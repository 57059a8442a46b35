"""HiFi-GAN generator, read from an ONNX graph by structure: its stages with their weights.

Source: HiFi-GAN, arXiv 2010.05646, section 2.2.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto, helper, numpy_helper

from koebin.engine.models.jp_extra.onnx.rewrite.graph import Graph

FloatArray = NDArray[np.float32]


@dataclass(frozen=True)
class Convolution:
    """Convolution that keeps the length, behind a leaky ReLU.

    Attributes:
        weight: shape (O, C, K).
        bias: shape (O,).
        slope: of the leaky ReLU before it.
    """

    weight: FloatArray
    bias: FloatArray
    dilation: int
    slope: float

    @property
    def reach(self) -> int:
        """Receptive field on each side, in samples."""
        return int(self.weight.shape[2]) // 2 * self.dilation


@dataclass(frozen=True)
class Upsampling:
    """Transposed convolution behind a leaky ReLU.

    Attributes:
        weight: shape (C, O, K).
        bias: shape (O,).
    """

    weight: FloatArray
    bias: FloatArray
    rate: int
    padding: int
    slope: float


Block = tuple[tuple[Convolution, Convolution], ...]
"""Residual pairs of convolutions."""


@dataclass(frozen=True)
class Stage:
    """Up-sampling and residual blocks, whose outputs are summed and multiplied by ``scale``.

    Attributes:
        blocks: all with the same input.
    """

    up: Upsampling
    blocks: tuple[Block, ...]
    scale: float

    @property
    def reach(self) -> int:
        """Receptive field of the blocks on each side, in samples."""
        return max(sum(one.reach + other.reach for one, other in block) for block in self.blocks)


@dataclass(frozen=True)
class Generator:
    """Generator, from the trunk, [B, C, F], to samples.

    Attributes:
        trunk: name of the first stage's input tensor.
    """

    trunk: str
    stages: tuple[Stage, ...]
    last: Convolution

    @property
    def hop_length(self) -> int:
        return math.prod(stage.up.rate for stage in self.stages)

    @property
    def reach_behind_first_stage(self) -> int:
        """Receptive field on each side of everything behind the first stage, in frames."""
        reach = self.last.reach
        for stage in reversed(self.stages[1:]):
            beyond = max(stage.up.padding, stage.up.weight.shape[2] - 1 - stage.up.padding)
            reach = math.ceil((reach + stage.reach + beyond) / stage.up.rate)
        return math.ceil(reach / self.stages[0].up.rate)


class UnknownStructure(Exception):
    """The graph is not such a generator, or is exported in another way."""


def read_generator(graph: Graph, audio: str) -> Generator:
    """Generator, found by following the graph backwards from its samples.

    Raises:
        UnknownStructure: it is not built as expected.
    """
    return _Reader(graph).generator(audio)


class _Reader:
    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._constants = {tensor.name: tensor for tensor in graph.model.graph.initializer}

    def generator(self, audio: str) -> Generator:
        tanh = self._maker(self._graph.through(audio, "Cast", "Reshape", "Squeeze", "Identity"), "Tanh")
        last, x = self._convolution(tanh.input[0])
        stages: list[Stage] = []
        while not stages or self._is_stage(x):
            stage, x = self._stage(x)
            stages.insert(0, stage)
        return Generator(x, tuple(stages), last)

    def _is_stage(self, x: str) -> bool:
        return x in self._graph.producers and self._graph.producers[x].op_type in ("Div", "Mul")

    def _stage(self, x: str) -> tuple[Stage, str]:
        mean = self._maker(x, "Div", "Mul")
        factor = self._number(mean.input[1])
        blocks, beginnings = zip(*map(self._block, self._summands(mean.input[0])), strict=True)
        if len(set(beginnings)) != 1:
            raise UnknownStructure("blocks with different inputs")
        up = self._maker(beginnings[0], "ConvTranspose")
        activation = self._maker(up.input[0], "LeakyRelu")
        upsampling = Upsampling(
            weight=self._array(up.input[1]),
            bias=self._bias(up, self._array(up.input[1]).shape[1]),
            rate=_only(up, "strides", 1),
            padding=_padding(up),
            slope=_slope(activation),
        )
        if _only(up, "output_padding", 0) or _only(up, "dilations", 1) != 1:
            raise UnknownStructure("an up-sampling of another kind")
        return Stage(upsampling, blocks, 1 / factor if mean.op_type == "Div" else factor), activation.input[0]

    def _summands(self, x: str) -> list[str]:
        """Outputs of the blocks, in the order of addition."""
        node = self._maker(x, "Add")
        if self._residual(node):
            return [x]
        return [name for part in node.input for name in self._summands(part)]

    def _block(self, x: str) -> tuple[Block, str]:
        """Pairs of a block, and its input tensor."""
        pairs: list[tuple[Convolution, Convolution]] = []
        while self._graph.producers[x].op_type == "Add":
            residual = self._residual(self._graph.producers[x])
            if residual is None:
                raise UnknownStructure("a sum outside a residual block")
            before, added = residual
            plain, between = self._convolution(added)
            dilated, start = self._convolution(between)
            if start != before:
                raise UnknownStructure("a residual block without pairs of convolutions")
            pairs.insert(0, (dilated, plain))
            x = before
        return tuple(pairs), x

    def _residual(self, node: NodeProto) -> tuple[str, str] | None:
        """Residual input, and the convolution's output that is added to it."""
        convolved = [name for name in node.input if self._made_by(name, "Conv")]
        if len(node.input) != 2 or len(convolved) != 1:
            return None
        return next(name for name in node.input if name != convolved[0]), convolved[0]

    def _convolution(self, x: str) -> tuple[Convolution, str]:
        """Convolution that computes ``x``, and the input of its leaky ReLU."""
        node = self._maker(x, "Conv")
        activation = self._maker(node.input[0], "LeakyRelu")
        weight = self._array(node.input[1])
        found = Convolution(weight, self._bias(node, len(weight)), _only(node, "dilations", 1), _slope(activation))
        kept = weight.shape[2] % 2 == 1 and _padding(node) == found.reach and _only(node, "strides", 1) == 1
        if not kept or helper.get_node_attr_value(node, "group") != 1:
            raise UnknownStructure("a convolution that does not keep the length")
        return found, activation.input[0]

    def _made_by(self, name: str, *kinds: str) -> bool:
        return name in self._graph.producers and self._graph.producers[name].op_type in kinds

    def _maker(self, name: str, *kinds: str) -> NodeProto:
        if not self._made_by(name, *kinds):
            raise UnknownStructure(f"no {' or '.join(kinds)} before {name}")
        return self._graph.producers[name]

    def _bias(self, node: NodeProto, channels: int) -> FloatArray:
        return self._array(node.input[2]) if len(node.input) > 2 else np.zeros(channels, np.float32)

    def _array(self, name: str) -> FloatArray:
        if name not in self._constants:
            raise UnknownStructure(f"{name} is not a weight")
        return numpy_helper.to_array(self._constants[name]).astype(np.float32)

    def _number(self, name: str) -> float:
        node = self._graph.producers.get(name)
        if node is not None and node.op_type == "Constant":
            return float(numpy_helper.to_array(helper.get_node_attr_value(node, "value")))
        return float(self._array(name))


def _slope(activation: NodeProto) -> float:
    return float(next((attribute.f for attribute in activation.attribute if attribute.name == "alpha"), 0.01))


def _only(node: NodeProto, name: str, default: int) -> int:
    """The only value of an attribute of a 1-D operator."""
    values: Sequence[int] = next((attribute.ints for attribute in node.attribute if attribute.name == name), (default,))
    if len(values) != 1:
        raise UnknownStructure(f"{name} {list(values)}")
    return values[0]


def _padding(node: NodeProto) -> int:
    pads = next((tuple(attribute.ints) for attribute in node.attribute if attribute.name == "pads"), (0, 0))
    if len(set(pads)) != 1:
        raise UnknownStructure(f"pads {pads}")
    return int(pads[0])
