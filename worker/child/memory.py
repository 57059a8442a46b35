"""Memory limits and use, of the pool process and of the container, from Linux's ``/proc`` and control groups."""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final

_LIMITS: Final = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))
_UNLIMITED: Final = 1 << 60
"""Version 1 of control groups shows a number above this for "no limit"."""


_MMAP_THRESHOLD: Final = -3
"""``M_MMAP_THRESHOLD`` of glibc's ``mallopt``."""
_LARGE_BLOCK_BYTES: Final = 2**21


def map_large_blocks() -> None:
    """Give every block of 2 MiB and more that finds no hole in the heap pages of its own from now on.

    They go back when it is freed. glibc, left to itself, raises that limit to the largest block that has been freed:
    what an utterance needed then stays in the heaps of the threads that spoke it. A lower limit takes time, as fresh
    pages are zeroed. It is a policy of the whole process, so a worker sets it and the engine as a library does not.
    Nothing on systems whose C library cannot.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is not None:
        mallopt(_MMAP_THRESHOLD, _LARGE_BLOCK_BYTES)


def resident(pid: str) -> int:
    """Resident bytes of a process (``self`` for this one); 0 if unknown."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, IndexError, ValueError):
        return 0


def memory_limit() -> int:
    """Memory limit of this container in bytes; 0 if there is none."""
    for path in _LIMITS:
        try:
            limit = int(path.read_text())
        except (OSError, ValueError):  # another version of control groups, or "max"
            continue
        return limit if limit < _UNLIMITED else 0
    return 0


def available_memory() -> int | None:
    """Bytes that may still be taken, of the machine's and of the container's; None if nobody says."""
    found = []
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        found += [int(line.split()[1]) << 10 for line in lines if line.startswith("MemAvailable")]
        if limit := memory_limit():
            found.append(limit - int(Path("/sys/fs/cgroup/memory.current").read_text()))
    except (OSError, IndexError, ValueError):
        pass
    return min(found, default=None)


def gpu_memory(device: str) -> Callable[[], dict[str, int]] | None:
    """Function for the allocated, reserved and total bytes of a GPU; None for a CPU."""
    if not device.startswith("cuda"):
        return None
    from koebin.engine.models.jp_extra.torch.devices import memory

    return partial(memory, device)
