"""Kernel part: encoder, flow and decoder as they are, as CUDA graphs, and compiled."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

import torch
from torch import Tensor

from benchmarks.gpu.budget import NotRun
from benchmarks.gpu.material import Material, seconds_of, wait_for
from benchmarks.gpu.steps import Step, load_network, steps_of
from koebin.engine.models.jp_extra.torch.devices import arithmetic

_SHAPES: Final = ((1, 300), (16, 400), (64, 380))
"""Utterances and frames of each: a lone sentence, and batches."""
_TINY: Final = ((2, 20),)


def cuda_graphs(material: Material) -> Iterator[tuple[str, Any]]:
    """Each step replayed as a graph of one shape, by the same without."""
    if not material.on_cuda:
        raise NotRun("no CUDA")
    yield from _compared(material, _graph_of)


def compiled(material: Material) -> Iterator[tuple[str, Any]]:
    """Each step by ``torch.compile``, by the same without; on a CPU it is only traced."""
    backend = "inductor" if material.on_cuda else "eager"

    def compile_(step: Step) -> Callable[[], object]:
        fast = torch.compile(step.call, backend=backend, dynamic=True)
        return lambda: fast(*step.inputs)

    yield from _compared(material, compile_)


def _compared(material: Material, fast: Callable[[Step], Callable[[], object]]) -> Iterator[tuple[str, Any]]:
    network, device = load_network(material), material.torch_device
    for utterances, frames in _TINY if material.tiny else _SHAPES:
        for step in steps_of(network, device, utterances, frames)[:: 3 if material.tiny else 1]:
            with torch.inference_mode(), arithmetic(device):
                plain = seconds_of(lambda step=step: step.call(*step.inputs), device)  # type: ignore[misc]
                try:
                    other = fast(step)
                    took, error = seconds_of(other, device), _error(step.call(*step.inputs), other())
                except Exception as reason:  # noqa: BLE001 - another step may work
                    found: object = f"failed: {type(reason).__name__}: {str(reason)[:200]}"
                else:
                    found = {"ms": round(1000 * took, 3), "plain ms": round(1000 * plain, 3), "difference": error}
            yield f"{step.name}, {utterances} of {frames} frames", found


def _graph_of(step: Step) -> Callable[[], object]:
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(3):
            step.call(*step.inputs)
    torch.cuda.current_stream().wait_stream(side)
    wait_for(step.inputs[0].device)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        made = step.call(*step.inputs)

    def replay() -> object:
        graph.replay()
        return made

    return replay


def _error(one: object, other: object) -> float:
    """Largest difference of what two calls give."""
    pairs = zip(*((value,) if isinstance(value, Tensor) else value for value in (one, other)), strict=True)  # type: ignore[misc]
    return float(max((a - b).abs().max() for a, b in pairs))
