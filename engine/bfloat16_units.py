"""Units of this processor that multiply in bfloat16."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Final

_FLAGS: Final = ("amx_bf16", "avx512_bf16", "bf16")
"""Names of such units in /proc/cpuinfo: of Intel's and AMD's processors, and of ARM's."""


def bfloat16_units(cpuinfo: Path = Path("/proc/cpuinfo")) -> tuple[str, ...]:
    """Those that this processor has."""
    try:
        text = cpuinfo.read_text()
    except OSError:
        return ()
    lines = (line.partition(":") for line in text.splitlines())
    flags = next((set(value.split()) for name, _, value in lines if name.strip() in ("flags", "Features")), set[str]())
    return tuple(name for name in _FLAGS if name in flags)


def why_no_bfloat16() -> str:
    """Why a decoder in bfloat16 is of no use or not possible here; "" if it is."""
    if not bfloat16_units():
        return "this processor has no units for bfloat16"
    if importlib.util.find_spec("openvino") is None:
        return "openvino is not installed"
    return ""
