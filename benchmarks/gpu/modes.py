"""Decoder mode part: speed, memory and error of float32, TensorFloat-32, float16 and bfloat16."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator
from typing import Any, Final

import torch
from torch import Tensor

from benchmarks.decoder_modes import signal_to_noise
from benchmarks.gpu.material import Material, seconds_of
from benchmarks.gpu.steps import load_network, steps_of
from koebin.engine.models.jp_extra.torch.devices import arithmetic

_MODES: Final = ("float32", "tf32", "float16", "bfloat16")


@torch.inference_mode()
def decoder_modes(material: Material) -> Iterator[tuple[str, Any]]:
    """The decoder alone with a batch; decibels are the signal's above the error."""
    network, device = load_network(material), material.torch_device
    utterances, frames = (2, 20) if material.tiny else (32, 400)
    exact: Tensor | None = None
    for mode in _MODES:
        other = copy.deepcopy(network)
        other.dec.to(getattr(torch, mode) if mode.endswith("float16") else torch.float32)
        decoder = steps_of(other, device, utterances, frames)[-1]
        with arithmetic(device, tf32=mode != "float32"):
            if material.on_cuda:
                torch.cuda.reset_peak_memory_stats(device)
            took = seconds_of(lambda: decoder.call(*decoder.inputs), device)  # noqa: B023 - called here alone
            audio = decoder.call(*decoder.inputs)
        assert isinstance(audio, Tensor)
        exact = audio if exact is None else exact
        found: dict[str, Any] = {"audio s per s": round(decoder.audio_seconds / took, 1)}
        if mode != "float32":
            decibels = signal_to_noise(exact, audio)
            found["dB"] = round(decibels, 1) if math.isfinite(decibels) else "exact"
        if material.on_cuda:
            found["MiB"] = round(torch.cuda.max_memory_allocated(device) / 2**20)
        yield mode, found
