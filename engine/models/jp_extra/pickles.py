"""Refusal of a pickled voice: PyTorch's old format can run code, so that none is ever loaded."""

from __future__ import annotations

from typing import Final

from koebin.engine.errors import InvalidCheckpoint

PICKLE_HINT: Final = "A pickle can run code and is never loaded. Convert it to safetensors where it was trained"


def refuse_pickle(name: str, where: str) -> InvalidCheckpoint:
    """The error for a file that is a pickle by its name."""
    return InvalidCheckpoint(f"the voice's weights are a pickle, {name}", where, PICKLE_HINT)
