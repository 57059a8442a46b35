"""Bounds on what comes from outside, one place for each kind; ``docs/limits.md`` lists them."""

from __future__ import annotations

from typing import Final

JSON_DEPTH: Final = 100
JSON_DIGITS: Final = 1_000

VOICE_CONFIG_BYTES: Final = 1 << 20
"""A voice's configuration; real ones have some kilobytes."""
STYLE_VECTORS_BYTES: Final = 16 << 20
"""Decoded; 32 styles of float32 are 32 KiB."""
VOICE_FILE_BYTES: Final = 2 << 30
"""One file of a voice; the largest published is 260 MB."""
AIVM_HEADER_BYTES: Final = 128 << 20
"""Header of an .aivm: the tensors' names, and the manifest with its pictures and samples."""
AIVM_MANIFEST_BYTES: Final = 96 << 20
"""The manifest of an .aivm or .aivmx, with pictures and samples in base64."""
AIVM_TEXT_CHARS: Final = 200_000
"""A licence in full."""
AIVM_SPEAKERS: Final = 1_000
AIVM_STYLES: Final = 32
"""Of one speaker, as the format says."""
