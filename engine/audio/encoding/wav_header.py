"""WAV headers: of streams of unknown length, and the length from which RF64 is needed."""

from __future__ import annotations

import struct
from typing import Final

RIFF_LIMIT_BYTES: Final = 0xFFFF_FFFF - 65_536
"""Most bytes of samples in a WAV file, less room for the header; a larger file becomes RF64 (EBU Tech 3306)."""
UNKNOWN_LENGTH: Final = 0xFFFFFFFF


def wav_header(rate: int) -> bytes:
    """Header of mono PCM of unknown length, which players take as: until the end."""
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, rate, 2 * rate, 2, 16)
    return struct.pack("<4sI4s", b"RIFF", UNKNOWN_LENGTH, b"WAVE") + form + struct.pack("<4sI", b"data", UNKNOWN_LENGTH)
