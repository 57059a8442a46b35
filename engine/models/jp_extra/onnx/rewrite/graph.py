"""Surgery on ONNX graphs: producers, dependents, and extraction of a part.

Works by structure, never by node names: exporters name nodes as they please. Needs the ``onnx`` package; nothing here
runs a graph.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto, helper, numpy_helper

FLOAT, INT64 = TensorProto.FLOAT, TensorProto.INT64


@dataclass(frozen=True)
class Cut:
    """Tensor that becomes an input of an extracted part.

    Attributes:
        name: the input's name.
        dtype: an ``onnx.TensorProto`` element type.
        shape: sizes, or names of dynamic ones.
    """

    name: str
    dtype: int
    shape: tuple[int | str, ...]

    @classmethod
    def of(cls, value: ValueInfoProto) -> Cut:
        """Input that stays an input."""
        tensor = value.type.tensor_type
        return cls(value.name, tensor.elem_type, tuple(size.dim_param or size.dim_value for size in tensor.shape.dim))

    def value_info(self) -> ValueInfoProto:
        return helper.make_tensor_value_info(self.name, self.dtype, list(self.shape))


@dataclass
class Graph:
    """Graph of a model with an index of producers and consumers."""

    model: ModelProto
    producers: dict[str, NodeProto] = field(init=False)
    consumers: dict[str, list[NodeProto]] = field(init=False)
    constants: set[str] = field(init=False)
    inputs: dict[str, ValueInfoProto] = field(init=False)
    _position: dict[str, int] = field(init=False)

    def __post_init__(self) -> None:
        graph: GraphProto = self.model.graph
        self.producers = {name: node for node in graph.node for name in node.output}
        self.consumers = defaultdict(list)
        for node in graph.node:
            for name in reads(node):
                self.consumers[name].append(node)
        self.constants = {tensor.name for tensor in graph.initializer}
        self.inputs = {value.name: value for value in graph.input if value.name not in self.constants}
        self._position = {name: i for i, node in enumerate(graph.node) for name in node.output}

    def nodes(self, kind: str) -> list[NodeProto]:
        """All nodes of an operator, in topological order."""
        return [node for node in self.model.graph.node if node.op_type == kind]

    def needed_for(self, tensors: Iterable[str], stop: Iterable[str] = ()) -> set[str]:
        """Tensors that ``tensors`` are computed from, themselves included, not looking behind ``stop``."""
        stop, seen, todo = set(stop), set[str](), list(tensors)
        while todo:
            name = todo.pop()
            if not name or name in seen:
                continue
            seen.add(name)
            if name not in stop and name in self.producers:
                todo.extend(reads(self.producers[name]))
        return seen

    def depending_on(self, tensors: Iterable[str]) -> set[str]:
        """Tensors computed from any of ``tensors``, themselves included."""
        seen, todo = set[str](), list(tensors)
        while todo:
            name = todo.pop()
            if name in seen:
                continue
            seen.add(name)
            todo.extend(output for node in self.consumers.get(name, ()) for output in node.output)
        return seen

    def narrowest(self, crossing: set[str], varying: set[str]) -> str | None:
        """Last single tensor that all of ``crossing`` can be computed from; None if only the inputs are.

        Walks back from the latest tensor, through those in ``varying`` (the others are constant here).
        """
        front = {name for name in crossing if name in varying}
        while len(front) > 1:
            latest = max(front, key=lambda name: self._position.get(name, -1))
            if latest not in self.producers:
                return None
            front.remove(latest)
            front |= {name for name in reads(self.producers[latest]) if name in varying}
        return front.pop() if front else None

    def through(self, name: str, *kinds: str) -> str:
        """Tensor reached by walking up from ``name`` through nodes of ``kinds``, each by its first input."""
        while name in self.producers and self.producers[name].op_type in kinds:
            name = self.producers[name].input[0]
        return name

    def cut_out(
        self,
        outputs: Iterable[ValueInfoProto],
        inputs: Mapping[str, Cut],
        before: Iterable[NodeProto] = (),
        after: Iterable[NodeProto] = (),
        constants: Iterable[TensorProto] = (),
    ) -> ModelProto:
        """Model of its own that computes ``outputs`` from ``inputs``.

        Args:
            outputs: names of the outputs, made by this graph or by ``after``.
            inputs: which tensors of this graph become which inputs.
            before: nodes that make tensors of this graph from inputs, put first.
            after: nodes put last.
            constants: initializers that ``before`` and ``after`` need.
        """
        outputs, before, after = list(outputs), list(before), list(after)
        made = {name for node in before for name in node.output}
        made_after = {name for node in after for name in node.output}
        wanted = {name for node in after for name in node.input} | ({value.name for value in outputs} - made_after)
        needed = self.needed_for(wanted, stop=set(inputs) | made)
        names = {old: cut.name for old, cut in inputs.items()}
        for taken in {cut.name for cut in inputs.values()} | {value.name for value in outputs}:
            names.setdefault(taken, self._other_name(taken))
        given = inputs.keys() | made
        graph = self.model.graph
        kept = [node for node in graph.node if needed.intersection(node.output) and not given.issuperset(node.output)]
        weights = [tensor for tensor in graph.initializer if tensor.name in needed and tensor.name not in given]
        return helper.make_model(
            helper.make_graph(
                [
                    *(_renamed(node, names) for node in (*before, *kept)),
                    *(_renamed(node, names, outputs=False) for node in after),
                ],
                "part",
                [cut.value_info() for cut in inputs.values()],
                outputs,
                [*weights, *constants],
            ),
            opset_imports=self.model.opset_import,
            ir_version=min(self.model.ir_version, 10),
            producer_name="koebin",
        )

    def _other_name(self, name: str) -> str:
        """Name that no tensor has."""
        other = f"published_{name}"
        while other in self.producers or other in self.inputs or other in self.constants:
            other = f"published_{other}"
        return other


def _renamed(node: NodeProto, names: Mapping[str, str], outputs: bool = True) -> NodeProto:
    copy = NodeProto()
    copy.CopyFrom(node)
    for i, name in enumerate(copy.input):
        copy.input[i] = names.get(name, name)
    for i, name in enumerate(copy.output):
        copy.output[i] = names.get(name, name) if outputs else name
    for body in _bodies(copy):
        renamed = [_renamed(inner, names) for inner in body.node]
        del body.node[:]
        body.node.extend(renamed)
        for value in body.output:
            value.name = names.get(value.name, value.name)
    return copy


def reads(node: NodeProto) -> list[str]:
    """Tensors that a node takes, including those of the branches of an ``If`` or the body of a loop."""
    names = list(node.input)
    for body in _bodies(node):
        made = {name for inner in body.node for name in inner.output} | {value.name for value in body.input}
        made |= {tensor.name for tensor in body.initializer}
        used = [name for inner in body.node for name in reads(inner)] + [value.name for value in body.output]
        names += [name for name in used if name not in made]
    return names


def _bodies(node: NodeProto) -> list[GraphProto]:
    return [
        graph
        for attribute in node.attribute
        for graph in ([attribute.g] if attribute.HasField("g") else [*attribute.graphs])
    ]


def constant_int64(name: str, values: Iterable[int]) -> TensorProto:
    return numpy_helper.from_array(np.array(list(values), np.int64), name)
