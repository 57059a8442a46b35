"""Flow of VITS2, read from an ONNX graph and rewritten as the graph of one layer that all layers share.

A layer is computed for some of the frames at a time, with attention to all: threads can share an utterance. Weights are
inputs, so that they can be mapped into memory. What is known of near positions is gathered and scattered, where the
exported graph skews whole matrices of frames by frames, and of an utterance that is alone nothing is masked.

Sources: VITS2, arXiv 2307.16430; relative positions: Shaw et al., arXiv 1803.02155.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, TensorProto, ValueInfoProto, helper, numpy_helper
from safetensors.numpy import save

from koebin.engine.errors import InvalidCheckpoint
from koebin.engine.models.jp_extra.onnx.mapped_weights import Weights
from koebin.engine.models.jp_extra.onnx.rewrite.builder import Builder
from koebin.engine.models.jp_extra.onnx.rewrite.graph import FLOAT, INT64, Cut, Graph
from koebin.engine.models.jp_extra.onnx.session import Session, simplify
from koebin.engine.models.jp_extra.voice_format import FLOW_WEIGHTS

FloatArray = NDArray[np.float32]

_OPSET: Final = 17
_EPSILON: Final = 1e-5
_ON_THE_WAY: Final = ("Identity", "Transpose", "Unsqueeze", "Slice", "Pad")
"""Operators between a table of relative positions and the product that takes it."""
_TABLE_DIMENSIONS: Final = (3, 4)


@dataclass(frozen=True)
class FlowParts:
    """Flow in parts.

    Attributes:
        start: the graph before a coupling's first layer.
        layer: the graph of a layer.
        speaker: from ``speaker_id`` [1] to ``added`` [couplings, layers, C, 1]: what enters behind each layer.
        weights: named for the coupling, ``start`` or the number of the layer, and the graph's input, with dots between.
    """

    start: ModelProto
    layer: ModelProto
    speaker: ModelProto
    weights: Weights


def flow_for_cpu(model: ModelProto) -> FlowParts:
    """Flow divided into parts for a CPU.

    Args:
        model: from ``z_p`` [1, C, F] and ``speaker_id`` [1] to ``z`` [1, C, F], as it is exported.

    Raises:
        InvalidCheckpoint: not such a flow, or exported in another way.
    """
    graph = Graph(model)
    couplings = list(_Reader(graph).couplings())
    if not couplings or len(couplings) % 2 or len({len(coupling.layers) for coupling in couplings}) != 1:
        raise _unknown(f"{len(couplings)} couplings")
    weights: Weights = {}
    for number, coupling in enumerate(couplings):
        # The channels are turned around before each coupling. With every other one's weights turned, they need not be.
        parts = coupling.weights(turned=number % 2 == 0)
        weights |= {f"{number}.{name}": np.ascontiguousarray(part) for name, part in parts.items()}
    return FlowParts(
        start=_start_graph(),
        layer=_layer_graph(weights["0.0.up_weight"].shape[2]),
        speaker=_speaker_graph(graph, couplings),
        weights=weights,
    )


def write_flow(parts: FlowParts, speakers: int, folder: Path) -> None:
    """Write the files that ``koebin.engine.models.jp_extra.onnx.flow`` reads.

    What enters for a speaker is a table of all of them, which is smaller than what it is computed from.
    """
    for name in ("layer", "speaker", "start"):
        whole = folder / f"flow_{name}.whole"
        whole.write_bytes(getattr(parts, name).SerializeToString())
        simplify(whole, folder / f"flow_{name}.onnx")
        whole.unlink()
    speaker = folder / "flow_speaker.onnx"
    session = Session(speaker)
    added = [session.run(("added",), {"speaker_id": np.array([number])})[0] for number in range(speakers)]
    speaker.unlink()
    (folder / FLOW_WEIGHTS).write_bytes(save(parts.weights | {"added": np.stack(added)}))


@dataclass(frozen=True)
class _Convolution:
    """Weight of shape (O, C, K), bias of shape (O,)."""

    weight: FloatArray
    bias: FloatArray

    def named(self, name: str) -> Weights:
        return {f"{name}_weight": self.weight, f"{name}_bias": self.bias}


@dataclass(frozen=True)
class _Layer:
    """Transformer layer.

    Attributes:
        projection: to queries, keys and values, queries divided by the root of their size.
        rest: the other weights, named as the inputs of the layer's graph.
    """

    projection: _Convolution
    rest: Weights


@dataclass(frozen=True)
class _Coupling:
    """Coupling: a transformer between two convolutions.

    Attributes:
        speaker: the tensor [1, C, 1] that is added before a layer.
        speaker_layer: which one.
    """

    pre: _Convolution
    layers: tuple[_Layer, ...]
    post: _Convolution
    speaker: str
    speaker_layer: int

    def weights(self, turned: bool) -> Weights:
        """Weights by graph and input; ``turned`` is for channels in reverse order."""
        order = slice(None, None, -1 if turned else 1)
        pre = _Convolution(self.pre.weight[:, order], self.pre.bias)
        post = _Convolution(self.post.weight[order], self.post.bias[order])
        found = pre.named("start.pre") | self.layers[0].projection.named("start.next")
        following = [*(layer.projection for layer in self.layers[1:]), post]
        for number, (layer, then) in enumerate(zip(self.layers, following, strict=True)):
            found |= {f"{number}.{name}": part for name, part in (layer.rest | then.named("next")).items()}
        return found


class _Reader:
    """Walks through the operators that have weights, in the order of export."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._constants = {tensor.name: tensor for tensor in graph.model.graph.initializer}
        self._events = deque(self._found(graph))

    def couplings(self) -> Iterator[_Coupling]:
        while self._events:
            pre, layers, speaker, speaker_layer = self._convolution(), list[_Layer](), "", 0
            while self._layer_follows():
                if self._events[0][0] == "speaker":
                    speaker, speaker_layer = self._take("speaker")[0], len(layers)
                layers.append(self._layer())
            if not speaker_layer:
                raise _unknown("the speaker embedding enters nowhere, or at the beginning")
            yield _Coupling(pre, tuple(layers), self._convolution(), speaker, speaker_layer)

    def _found(self, graph: Graph) -> Iterator[tuple[str, list[str]]]:
        """Kind of operator, and names of its weights; ``speaker`` is where a tensor of the speaker alone enters."""
        speaking, varying = graph.depending_on(["speaker_id"]), graph.depending_on(["z_p"])
        for node in graph.model.graph.node:
            if not varying.intersection(node.output):
                continue
            sources = [graph.through(name, "Identity", "Transpose") for name in node.input]
            entering = [name for name in node.input if name in speaking - varying]
            if node.op_type in ("Conv", "LayerNormalization"):
                yield node.op_type, [name for name in sources if name in self._constants]
            elif node.op_type == "MatMul" and self._table(graph, node.input[1]):
                # Where it is used, not where it is padded: a simplifier makes one tensor of equal tables.
                yield "near", [node.input[1]]
            elif entering:
                yield "speaker", entering

    def _table(self, graph: Graph, name: str) -> str:
        """Constant of positions that a product takes, possibly padded and turned on the way; "" if there is none."""
        source = graph.through(name, *_ON_THE_WAY)
        found = self._constants.get(source)
        return source if found is not None and len(found.dims) in _TABLE_DIMENSIONS else ""

    def _near(self) -> FloatArray:
        """The table as its product takes it, shape (D, W) of keys or (W, D) of values."""
        (name,) = self._take("near")
        array, turns = self._array(self._table(self._graph, name)), 0
        while name not in self._constants:
            node = self._graph.producers[name]
            turns, name = turns + (node.op_type == "Transpose"), node.input[0]
        table = array.reshape(array.shape[-2:])
        return table.T if turns % 2 else table

    def _layer_follows(self) -> bool:
        kinds = [kind for kind, _ in list(self._events)[:6] if kind != "speaker"]
        return kinds[:5] == ["Conv", "Conv", "Conv", "near", "near"]

    def _layer(self) -> _Layer:
        q, k, v = (self._convolution() for _ in range(3))
        near_k, near_v = self._near(), self._near()  # (D, W), (W, D)
        out, norm_1, up, down, norm_2 = (
            self._convolution(),
            self._take("LayerNormalization"),
            self._convolution(),
            self._convolution(),
            self._take("LayerNormalization"),
        )
        root = np.float32(math.sqrt(near_v.shape[1]))
        projection = _Convolution(
            np.concatenate([q.weight / root, k.weight, v.weight]), np.concatenate([q.bias / root, k.bias, v.bias])
        )
        rest = {
            "near_k": near_k,
            "near_v": near_v,
            **out.named("out"),
            **up.named("up"),
            **down.named("down"),
        }
        for name, (gamma, beta) in (("norm_1", norm_1), ("norm_2", norm_2)):
            rest |= {f"{name}_gamma": self._array(gamma), f"{name}_beta": self._array(beta)}
        return _Layer(projection, rest)

    def _convolution(self) -> _Convolution:
        names = self._take("Conv")
        weight = self._array(names[0])
        bias = self._array(names[1]) if len(names) > 1 else np.zeros(len(weight), np.float32)
        return _Convolution(weight, bias)

    def _take(self, kind: str) -> list[str]:
        if not self._events or self._events[0][0] != kind:
            raise _unknown(f"{self._events[0][0] if self._events else 'its end'} where {kind} belongs")
        return self._events.popleft()[1]

    def _array(self, name: str) -> FloatArray:
        return numpy_helper.to_array(self._constants[name]).astype(np.float32)


def _start_graph() -> ModelProto:
    """x [1, C / 2, F] -> y [1, H, F], next [1, 3 H, F]: queries, keys and values of the first layer."""
    build = Builder("start")
    build.node("Conv", "x", "pre_weight", "pre_bias", output="y")
    build.node("Conv", "y", "next_weight", "next_bias", output="next")
    shapes = {name: ("O", "C", 1) if name.endswith("weight") else ("O",) for name in ("pre_weight", "pre_bias")}
    shapes |= {"next_weight": ("N", "O", 1), "next_bias": ("N",)}
    return _model(build, {"x": (1, "C", "F"), **shapes}, {"y": (1, "O", "F"), "next": (1, "N", "F")})


def _layer_graph(kernel: int) -> ModelProto:
    """A layer for R frames, of which the first and the last are there for the others' sake.

    ========================  ================================================================================
    ``x`` [1, C, R]           what the layer is given, of these frames
    ``q`` [A, D, R]           their queries in A heads of D channels
    ``k``, ``v`` [A, D, F]    keys and values of all frames
    ``places`` [A, R, W]      the frames about each, at most so far away as positions are told apart
    ``inside`` [1, R, W]      whether there is such a frame
    ``first``, ``last`` [1]   which of R are wanted
    ``added`` [1, C, 1]       what enters behind the layer
    ``y`` [1, C, wanted]      what the next layer is given
    ``next`` [1, N, wanted]   its queries, keys and values
    ========================  ================================================================================
    """
    build = Builder("layer")
    node, nothing = build.node, build.constant(np.zeros((), np.float32))
    queries = node("Transpose", "q", perm=[0, 2, 1])
    scores = node("MatMul", queries, "k")
    near = node("Where", "inside", node("MatMul", queries, "near_k"), nothing)
    shares = node("Softmax", node("ScatterElements", scores, "places", near, axis=2, reduction="add"), axis=2)
    near = node("Where", "inside", node("GatherElements", shares, "places", axis=2), nothing)
    values = node("MatMul", shares, node("Transpose", "v", perm=[0, 2, 1]))
    heads = node("Transpose", node("Add", values, node("MatMul", near, "near_v")), perm=[0, 2, 1])
    attended = node("Conv", node("Reshape", heads, node("Shape", "x")), "out_weight", "out_bias")
    x = _normalized(build, node("Add", "x", attended), "norm_1")
    pads = [kernel // 2] * 2
    fed = node("Relu", node("Conv", x, "up_weight", "up_bias", pads=pads))
    fed = node("Conv", fed, "down_weight", "down_bias", pads=pads)
    wanted = node("Slice", node("Add", x, fed), "first", "last", build.integers(2))
    node("Add", _normalized(build, wanted, "norm_2"), "added", output="y")
    node("Conv", "y", "next_weight", "next_bias", output="next")
    channels = ("out_bias", "down_bias", "norm_1_gamma", "norm_1_beta", "norm_2_gamma", "norm_2_beta")
    return _model(
        build,
        {
            "x": (1, "C", "R"),
            "q": ("A", "D", "R"),
            "k": ("A", "D", "F"),
            "v": ("A", "D", "F"),
            "places": ("A", "R", "W"),
            "inside": (1, "R", "W"),
            "first": (1,),
            "last": (1,),
            "added": (1, "C", 1),
            "near_k": ("D", "W"),
            "near_v": ("W", "D"),
            "out_weight": ("C", "C", 1),
            "up_weight": ("U", "C", kernel),
            "up_bias": ("U",),
            "down_weight": ("C", "U", kernel),
            "next_weight": ("N", "C", 1),
            "next_bias": ("N",),
            **dict.fromkeys(channels, ("C",)),
        },
        {"y": (1, "C", "wanted"), "next": (1, "N", "wanted")},
    )


def _normalized(build: Builder, x: str, name: str) -> str:
    """Layer normalisation over the channels of [1, C, R]."""
    turned = build.node("Transpose", x, perm=[0, 2, 1])
    turned = build.node("LayerNormalization", turned, f"{name}_gamma", f"{name}_beta", epsilon=_EPSILON)
    return build.node("Transpose", turned, perm=[0, 2, 1])


def _speaker_graph(graph: Graph, couplings: Sequence[_Coupling]) -> ModelProto:
    layers, channels = len(couplings[0].layers), len(couplings[0].pre.bias)
    build = Builder("speaker")
    nothing = build.constant(np.zeros((1, channels, 1), np.float32))
    added = [
        coupling.speaker if number == coupling.speaker_layer - 1 else nothing
        for coupling in couplings
        for number in range(layers)
    ]
    shape = (len(couplings), layers, channels, 1)
    build.node("Reshape", build.node("Concat", *added, axis=0), build.integers(*shape), output="added")
    return graph.cut_out(
        [helper.make_tensor_value_info("added", FLOAT, shape)],
        {"speaker_id": Cut("speaker_id", INT64, (1,))},
        after=build.nodes,
        constants=build.weights,
    )


def _model(
    build: Builder, inputs: dict[str, tuple[int | str, ...]], outputs: dict[str, tuple[int | str, ...]]
) -> ModelProto:
    kinds = {"places": INT64, "first": INT64, "last": INT64, "inside": TensorProto.BOOL}

    def values(named: dict[str, tuple[int | str, ...]]) -> list[ValueInfoProto]:
        return [
            helper.make_tensor_value_info(name, kinds.get(name, FLOAT), list(shape)) for name, shape in named.items()
        ]

    made = helper.make_graph(build.nodes, "part", values(inputs), values(outputs), build.weights)
    opset = [helper.make_opsetid("", _OPSET)]
    return helper.make_model(made, opset_imports=opset, ir_version=8, producer_name="koebin")


def _unknown(what: str) -> InvalidCheckpoint:
    return InvalidCheckpoint("the flow has an unknown structure", what)
