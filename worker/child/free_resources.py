"""Room that a process of a worker needs: memory, disk, file descriptors."""

from __future__ import annotations

import os
import resource
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from koebin.worker.child.memory import available_memory

_LEAST_DISK: Final = 64 << 20
_LEAST_MEMORY: Final = 64 << 20
_LEAST_DESCRIPTORS: Final = 32


def lacking_room(folder: Path, descriptors: int = _LEAST_DESCRIPTORS) -> Iterator[tuple[str, str]]:
    """What there is too little of, and what to do about it; nothing if there is enough.

    Args:
        folder: whose disk is looked at.
        descriptors: that have to be left.
    """
    memory = available_memory()
    if memory is not None and memory < _LEAST_MEMORY:
        yield f"only {memory >> 20} MiB of memory are left", "Raise the container's limit, or end something else"
    free = shutil.disk_usage(folder).free
    if free < _LEAST_DISK:
        yield f"only {free >> 20} MiB are left on the disk of {folder}", "Make room there, or set KOEBIN_RUN_DIR"
    most, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if most != resource.RLIM_INFINITY and Path("/proc/self/fd").exists():
        left = most - len(os.listdir("/proc/self/fd"))
        if left < descriptors:
            yield f"only {left} of {most} file descriptors are left", "Raise it: ulimit -n 1024, or LimitNOFILE=1024"
