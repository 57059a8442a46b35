"""Torch devices: selection, arithmetic and memory."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import torch

from koebin.engine.errors import BackendMissing

_FLAGS: Final = threading.Lock()
"""The flags are global to the process: two voices on one GPU take turns."""


def open_device(name: str) -> torch.device:
    """Torch device for ``cpu``, ``cuda`` or ``cuda:N``.

    Raises:
        BackendMissing: torch does not know the device, or cannot reach it.
    """
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise BackendMissing("not a valid name of a device", name, "Use cpu, cuda or cuda:N") from error
    if device.type not in ("cpu", "cuda"):
        raise BackendMissing("this device is not supported", name, "Use cpu, cuda or cuda:N")
    if device.type == "cuda" and not torch.cuda.is_available():
        raise BackendMissing("no CUDA device was found", name, "Check nvidia-smi and that torch is a CUDA build")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise BackendMissing(
            f"there are only {torch.cuda.device_count()} CUDA devices", name, "The first one is cuda:0"
        )
    return device


def memory(name: str) -> dict[str, int]:
    """Bytes of a CUDA device: ``allocated`` and ``reserved`` by this process, and the ``total`` of the card."""
    device = torch.device(name)
    return {
        "allocated": torch.cuda.memory_allocated(device),
        "reserved": torch.cuda.memory_reserved(device),
        "total": torch.cuda.get_device_properties(device).total_memory,
    }


@contextmanager
def arithmetic(device: torch.device, tf32: bool = False) -> Iterator[None]:
    """Context with full float32 on CUDA, unless ``tf32``; the same results for the same batch.

    TensorFloat-32 keeps 10 bits of the mantissa, and the rounding up of durations turns a small error into a length.
    """
    if device.type == "cpu":
        yield
        return
    cudnn: Any = torch.backends.cudnn  # its attributes are made at run time
    matmul, convolution = torch.backends.cuda.matmul, cudnn.conv
    with _FLAGS:
        before = matmul.fp32_precision, convolution.fp32_precision, cudnn.deterministic, cudnn.benchmark
        matmul.fp32_precision = convolution.fp32_precision = "tf32" if tf32 else "ieee"
        cudnn.deterministic, cudnn.benchmark = True, False
        try:
            yield
        finally:
            matmul.fp32_precision, convolution.fp32_precision, cudnn.deterministic, cudnn.benchmark = before
