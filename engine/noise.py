"""Noise generation: the only source of randomness.

A network never draws by itself: its noises are inputs, and they come from here, so that PyTorch and ONNX Runtime, a
CPU and a GPU, and the first try and its retry take the same ones. Each utterance has a generator of its own and is
drawn unpadded, so its noise does not depend on what shares its batch. The order is fixed: the noise of the stochastic
duration predictor first, then that of the prior.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]


def generator(seed: int) -> np.random.Generator:
    """Fresh counter-based generator (Philox 4x64) for one utterance.

    Args:
        seed: 0 <= seed < 2**128, from ``koebin.engine.seeds.utterance_seed``; it is the cipher's key.
    """
    return np.random.Generator(np.random.Philox(key=seed))


def sdp_noise(draws: np.random.Generator, phones: int) -> FloatArray:
    """Standard normal noise of the stochastic duration predictor: shape (2, phones), blanks counted."""
    return draws.standard_normal((2, phones), dtype=np.float32)


def prior_noise(draws: np.random.Generator, channels: int, frames: int) -> FloatArray:
    """Standard normal noise of the prior: shape (channels, frames).

    Drawn frame by frame, so that two takes of different length agree in the frames that both have.
    """
    return np.ascontiguousarray(draws.standard_normal((frames, channels), dtype=np.float32).T)
