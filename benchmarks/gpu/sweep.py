"""Sweep part: batch sizes, buckets of frames and windows of the decoder, with the memory that each takes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Final

import torch

from benchmarks.gpu.material import Material
from koebin.engine.models.jp_extra.torch.batches import ON_CUDA, BatchLimits

_SIZES: Final = (1, 8, 16, 32, 64, 128, 256)
_FRAMES: Final = (12_288, 24_576, 49_152, 98_304)
_WINDOWS: Final = (2_048, 8_192, 16_384, 32_768, 98_304)


def sweep(material: Material) -> Iterator[tuple[str, Any]]:
    """Audio seconds per second and MiB, each limit varied while the others are those of today."""
    tried = [replace(ON_CUDA, utterances=size) for size in _SIZES]
    tried += [replace(ON_CUDA, utterances=256, frames=frames) for frames in _FRAMES]
    tried += [replace(ON_CUDA, window_frames=window) for window in _WINDOWS]
    for limits in tried[:: 8 if material.tiny else 1]:
        yield (
            f"{limits.utterances} utterances, {limits.frames} frames, windows of {limits.window_frames}",
            _measured(material, limits),
        )


def _measured(material: Material, limits: BatchLimits) -> dict[str, Any]:
    voice = material.voice(limits=limits)
    utterances = material.utterances(4 if material.tiny else max(64, limits.utterances))
    calls = [utterances[start : start + limits.utterances] for start in range(0, len(utterances), limits.utterances)]
    try:
        voice.synthesize(calls[0])
        if material.on_cuda:
            torch.cuda.reset_peak_memory_stats(material.torch_device)
        began = time.perf_counter()
        samples = sum(len(spoken.samples) for call in calls for spoken in voice.synthesize(call))
        took = time.perf_counter() - began
    except torch.OutOfMemoryError:
        torch.cuda.empty_cache()
        return {"state": "too little memory"}
    found: dict[str, Any] = {"audio s per s": round(samples / voice.sample_rate_hz / took, 1)}
    if material.on_cuda:
        found["MiB"] = round(torch.cuda.max_memory_allocated(material.torch_device) / 2**20)
    return found
