"""GPU claims: one device per process, held by a file lock for as long as the process lives.

It is chosen before CUDA is touched, for a context on the wrong device would stay there. The kernel gives the lock back
when the process ends, however it ends.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from koebin.engine.checked_names import check_device
from koebin.engine.errors import BackendMissing, ConfigurationError

PATIENCE_SECONDS: Final = 10.0
"""Seconds to wait for a device: a process that is being replaced may still hold it."""

_held: list[int] = []
"""File descriptors of this process's locks; closing one would release the device."""


def claim_device(
    wanted: str,
    folder: Path,
    devices: Callable[[], Sequence[str]],
    *,
    shared: bool = False,
    patience: float = PATIENCE_SECONDS,
) -> str:
    """Claim a GPU until this process ends.

    Args:
        wanted: ``cpu`` needs no claim; ``cuda`` is the first free device, ``cuda:N`` that one.
        folder: of the lock files; the same for all workers of a machine.
        devices: names the devices that this process sees, see ``device_names``; not asked for ``cpu``.
        shared: processes that all set this may use the same device.
        patience: seconds to wait for a device in use.

    Returns:
        ``cpu`` or ``cuda:N``.

    Raises:
        InvalidOption: not the name of a device.
        BackendMissing: there is no such device.
        ConfigurationError: the device, or every device, is in use; names the process.
    """
    if not check_device(wanted).startswith("cuda"):
        return wanted
    names = devices()
    numbers = candidates(wanted, len(names))
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    deadline = time.monotonic() + patience
    while True:
        holders = []
        for number in numbers:
            holder = _lock(folder / f"cuda-{_file_name(names[number])}.lock", shared)
            if holder is None:
                return f"cuda:{number}"
            holders.append(f"cuda:{number} by process {holder}")
        if time.monotonic() >= deadline:
            raise ConfigurationError(
                "every GPU that this worker may use is in use by another worker",
                ", ".join(holders),
                "Start one worker per GPU, set KOEBIN_DEVICE to another one, or set KOEBIN_DEVICE_SHARED=true",
            )
        time.sleep(min(0.2, patience))


def device_names(count: int, visible: str | None) -> list[str]:
    """Machine-wide names of this process's CUDA devices.

    Args:
        count: how many devices CUDA shows.
        visible: ``CUDA_VISIBLE_DEVICES``, which renumbers them: its entries are the names. Workers of one machine
            should all give numbers there, or all UUIDs.
    """
    entries = [entry.strip() for entry in (visible or "").split(",") if entry.strip()]
    return [entries[number] if number < len(entries) else str(number) for number in range(count)]


def cuda_devices() -> list[str]:
    """CUDA devices of this process; asks the driver for their number without creating a context.

    Raises:
        BackendMissing: torch is not installed.
    """
    try:
        import torch
    except ImportError as error:
        raise BackendMissing(
            "torch is not installed, and a GPU needs it", "", "Install the torch extra with a CUDA build of torch"
        ) from error
    return device_names(torch.cuda.device_count(), os.environ.get("CUDA_VISIBLE_DEVICES"))


def candidates(wanted: str, count: int) -> Sequence[int]:
    """Numbers of the devices that ``cuda`` or ``cuda:N`` may mean, of the ``count`` that CUDA shows.

    Raises:
        BackendMissing: there is no such device.
    """
    if not count:
        raise BackendMissing("no CUDA device was found", wanted, "Check nvidia-smi and that torch is a CUDA build")
    if wanted == "cuda":
        return range(count)
    number = int(wanted.removeprefix("cuda:"))
    if number >= count:
        raise BackendMissing(f"there are only {count} CUDA devices", wanted, "The first one is cuda:0")
    return [number]


def _lock(path: Path, shared: bool) -> str | None:
    """Try to lock the file; if another process holds it, the process id that is written there."""
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(file, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.pread(file, 32, 0).decode("ascii", "replace").strip()
        os.close(file)
        return holder or "unknown"
    os.truncate(file, 0)
    os.pwrite(file, f"{os.getpid()}\n".encode(), 0)
    _held.append(file)
    return None


def _file_name(name: str) -> str:
    return "".join(letter if letter.isalnum() or letter in "-._" else "_" for letter in name)
