"""Flow on ONNX Runtime: from prior sample to latent, layer by layer, in tiles of frames.

The graphs, their inputs and the weights' names are those of ``koebin.engine.models.jp_extra.onnx.rewrite.flow``.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import count, takewhile
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from koebin.engine.errors import InferenceFailed
from koebin.engine.models.jp_extra.onnx.mapped_weights import Weights, mapped
from koebin.engine.models.jp_extra.onnx.session import shared_session
from koebin.engine.models.jp_extra.voice_format import FLOW_WEIGHTS
from koebin.engine.models.jp_extra.windows import Each, Window, windows

FloatArray = NDArray[np.float32]

LONGEST_TILE: Final = 256
"""Most frames in one tile; a larger tile takes more memory and no less time."""
SHORTEST_TILE: Final = 64
"""A longer utterance has at least two tiles, so that two threads can share it."""


@dataclass(frozen=True, slots=True)
class _Tile:
    """Range of frames, with their neighbours that the convolutions need.

    Attributes:
        low, high: first frame of the graph's input, and the one behind the last.
        inputs: position inputs of the graph, the same for every layer.
    """

    low: int
    high: int
    inputs: dict[str, NDArray[Any]]


class Flow:
    """Flow of a voice. Any number of threads may use it at once.

    Args:
        folder: has ``voice_format.FLOW_FILES``.

    Raises:
        BackendMissing: a file is missing.
        InvalidCheckpoint: a file is not what it should be.
    """

    def __init__(self, folder: Path) -> None:
        weights: defaultdict[str, Weights] = defaultdict(dict)
        for name, array in mapped(folder / FLOW_WEIGHTS).items():
            part, _, graph_input = name.rpartition(".")
            weights[part][graph_input] = array
        self._start, self._layer = (shared_session(folder / f"flow_{name}.onnx") for name in ("start", "layer"))
        self._start.require(("x", *weights["0.start"]), ("y", "next"))
        tile_inputs = ("places", "inside", "first", "last")
        self._layer.require(("x", "q", "k", "v", "added", *tile_inputs, *weights["0.0"]), ("y", "next"))
        self._added = weights[""]["added"]  # [speakers, couplings, layers, C, 1]
        self._starts = [weights[f"{i}.start"] for i in takewhile(lambda i: f"{i}.start" in weights, count())]
        layers = range(sum(name.startswith("0.") for name in weights) - 1)
        self._layers = [[weights[f"{i}.{layer}"] for layer in layers] for i in range(len(self._starts))]
        self._size, near = weights["0.0"]["near_k"].shape  # D, W
        self._near = np.arange(near) - near // 2
        self._reach = self._layers[0][0]["up_weight"].shape[2] // 2 + self._layers[0][0]["down_weight"].shape[2] // 2

    def run(self, z_p: FloatArray, speaker_id: int, each: Each) -> FloatArray:
        """Shape (C, F) to the same.

        Who computes a tile changes nothing, and tiles depend on F alone.

        Raises:
            InferenceFailed: a graph fails, or gives something that is not a number.
        """
        frames = z_p.shape[1]
        tiles = {place: self._tile(place, frames) for place in tiles_of(frames)}
        z = z_p.copy()
        first, second = np.split(z, 2)
        for start, layers, adds in zip(self._starts, self._layers, self._added[speaker_id], strict=True):
            x, following = self._start.compute(("y", "next"), {"x": second[None], **start})
            for weights, add in zip(layers, adds, strict=True):
                x, following = self._computed(x, following, {"added": add[None], **weights}, tiles, each)
            first -= following[0]
            first, second = second, first
        if not np.isfinite(z).all():
            raise InferenceFailed("the network's latent is not finite numbers", "flow")
        return z

    def _computed(
        self,
        x: FloatArray,
        projected: FloatArray,
        inputs: Mapping[str, FloatArray],
        tiles: dict[Window, _Tile],
        each: Each,
    ) -> tuple[FloatArray, FloatArray]:
        """A layer for all frames: its output, shape (1, C, F), and what the next one projects it to."""
        frames = x.shape[2]
        q, k, v = projected.reshape(3, -1, self._size, frames)
        y = np.empty_like(x)
        following = np.empty((1, len(inputs["next_bias"]), frames), np.float32)

        def compute(place: Window) -> None:
            tile = tiles[place]
            some = slice(tile.low, tile.high)
            feeds = {"x": x[:, :, some], "q": q[:, :, some], "k": k, "v": v, **tile.inputs, **inputs}
            wanted = slice(*place)
            y[:, :, wanted], following[:, :, wanted] = self._layer.compute(("y", "next"), feeds)

        each(compute, list(tiles))
        return y, following

    def _tile(self, place: Window, frames: int) -> _Tile:
        start, stop = place
        low, high = max(0, start - self._reach), min(frames, stop + self._reach)
        places = np.arange(low, high)[:, None] + self._near  # (R, W)
        inside = (places >= 0) & (places < frames)
        heads = self._layers[0][0]["out_weight"].shape[0] // self._size
        return _Tile(
            low,
            high,
            {
                "places": np.tile(places.clip(0, frames - 1), (heads, 1, 1)),
                "inside": inside[None],
                "first": np.array([start - low]),
                "last": np.array([stop - low]),
            },
        )


def tiles_of(frames: int) -> list[Window]:
    """Tiles of an utterance: a function of its length alone, like its samples."""
    return windows(frames, min(LONGEST_TILE, max(SHORTEST_TILE, -(-frames // 2))))
