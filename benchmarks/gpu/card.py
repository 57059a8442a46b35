"""Card part: what it is, what it can do at most, and where a batch's time goes."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator
from typing import Any, Final

import torch
from torch.profiler import ProfilerActivity, profile
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.gpu.material import Material, seconds_of
from benchmarks.gpu.steps import load_network, steps_of
from koebin.engine.models.jp_extra.torch.devices import arithmetic

_ROWS: Final = 25


def machine(material: Material) -> Iterator[tuple[str, Any]]:
    """Versions, the card, and its measured limits."""
    yield "python", platform.python_version()
    yield "torch", torch.__version__
    yield "cpu cores", os.cpu_count()
    if material.on_cuda:
        properties = torch.cuda.get_device_properties(material.torch_device)
        yield "card", properties.name
        yield "card MiB", properties.total_memory // 2**20
        yield "capability", f"{properties.major}.{properties.minor}"
        yield "cuda, cudnn", f"{torch.version.cuda}, {torch.backends.cudnn.version()}"
    material.make_files()
    yield "voices", "made"


def limits(material: Material) -> Iterator[tuple[str, Any]]:
    """Multiplications and bytes per second that it reaches, and the audio that they would suffice for."""
    device, size = material.torch_device, 64 if material.tiny else 8192
    rates: dict[str, float] = {}
    for mode in ("float32", "tf32", "float16", "bfloat16"):
        kind = getattr(torch, mode) if mode.endswith("float16") else torch.float32
        a = torch.randn(size, size, device=device).to(kind)
        with torch.inference_mode(), arithmetic(device, tf32=mode == "tf32"):
            rates[mode] = 2 * size**3 / seconds_of(lambda: a @ a, device)  # noqa: B023 - called here alone
        yield f"{mode}: TFLOP/s", round(rates[mode] / 1e12, 2)
    block = torch.empty(2**16 if material.tiny else 2**28, device=device)
    other = torch.empty_like(block)
    yield "copying: GB/s", round(2 * block.nbytes / seconds_of(lambda: other.copy_(block), device) / 1e9, 1)
    network = load_network(material)
    for step in steps_of(network, device, 1, 20 if material.tiny else 400):
        with torch.inference_mode(), FlopCounterMode(display=False) as counter:
            step.call(*step.inputs)
        flops = counter.get_total_flops() / step.audio_seconds
        found = {mode: round(rate / flops) for mode, rate in rates.items()}
        yield f"{step.name}: GFLOP per audio s", round(flops / 1e9, 2)
        yield f"{step.name}: audio s per s at most, by multiplications", found


def profiled(material: Material) -> Iterator[tuple[str, Any]]:
    """Profiler table of one batch through the whole voice."""
    voice = material.voice()
    utterances = material.utterances(2 if material.tiny else 64)
    voice.synthesize(utterances)
    kinds = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if material.on_cuda else [])]
    with profile(activities=kinds) as found:
        voice.synthesize(utterances)
    order = "self_device_time_total" if material.on_cuda else "self_cpu_time_total"
    averages = found.key_averages()
    yield "table", averages.table(sort_by=order, row_limit=_ROWS)
    whole = sum(getattr(event, order) for event in averages) or 1
    ranked = sorted(averages, key=lambda event: -getattr(event, order))[:_ROWS]
    yield "share of the time, %", {event.key: round(100 * getattr(event, order) / whole, 1) for event in ranked}
