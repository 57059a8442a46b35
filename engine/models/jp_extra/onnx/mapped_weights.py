"""Memory-mapped weights in a file beside their graph: processes share them, and graphs take them as inputs.

A graph that takes its weights as inputs is the same for all voices of one kind, so that one session serves them all.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from koebin.engine.errors import BackendMissing, InvalidCheckpoint

_AGAIN: Final = "Fetch or export the voice again"
Weights = dict[str, NDArray[np.float32]]


def mapped(path: Path) -> Weights:
    """Float32 arrays of a file in the format of safetensors.

    Raises:
        BackendMissing: there is no such file.
        InvalidCheckpoint: it is not of that format.
    """
    try:
        data = np.memmap(path, np.uint8, "r")
        size = 8 + int(data[:8].view(np.uint64)[0])
        header = json.loads(data[8:size].tobytes())
        return {
            name: np.asarray(data[size:][slice(*entry["data_offsets"])]).view(np.float32).reshape(entry["shape"])
            for name, entry in header.items()
            if name != "__metadata__"
        }
    except FileNotFoundError:
        raise BackendMissing("a file is missing", str(path), _AGAIN) from None
    except (ValueError, KeyError, TypeError, IndexError, AttributeError, RecursionError, OverflowError) as error:
        raise InvalidCheckpoint("the weights file cannot be read", str(path), _AGAIN) from error
