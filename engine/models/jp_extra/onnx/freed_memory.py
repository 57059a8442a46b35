"""Release of freed memory to the system, where the C library would keep it."""

from __future__ import annotations

import ctypes
import sys
from functools import cache
from typing import Final

_MMAP_THRESHOLD: Final = -3
"""``M_MMAP_THRESHOLD`` of glibc's ``mallopt``."""
_LARGE: Final = 2**21


@cache
def map_large_blocks() -> None:
    """From now on allocate blocks of 2 MiB and more in pages of their own, unless they fit a hole in the heap.

    They go back when it is freed. glibc, left to itself, raises that limit to the largest block that has been freed:
    what an utterance needed then stays in the heaps of the threads that spoke it. A lower limit takes time, as fresh
    pages are zeroed. Nothing on systems whose C library cannot.
    """
    if (mallopt := _function("mallopt")) is not None:
        mallopt(_MMAP_THRESHOLD, _LARGE)


def give_back() -> None:
    """Return whole free pages of the heap to the system; nothing on systems whose C library cannot."""
    if (trim := _function("malloc_trim")) is not None:
        trim(0)


def _function(name: str) -> ctypes._NamedFuncPointer | None:
    return getattr(ctypes.CDLL(None), name, None) if sys.platform == "linux" else None
