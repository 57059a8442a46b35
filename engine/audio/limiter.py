"""True-peak limiter with look-ahead, for streamed sound."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from koebin.engine.audio.loudness import FILTER_GAIN, TAPS, interpolated_peaks

FloatArray = NDArray[np.float32]
DoubleArray = NDArray[np.float64]


_PIECE = 2048


class Limiter:
    """Turns down the neighbourhood of every peak above a ceiling, smoothly, and leaves all else bit for bit.

    The gain at a sample is the minimum over 5 ms on either side, smoothed with a Hann window of the same width: it
    never exceeds what the peak asks for, and it is a function of the neighbourhood alone, so the result does not
    depend on how the sound is cut into blocks.
    """

    def __init__(self, sample_rate_hz: int, ceiling_dbtp: float) -> None:
        self._ceiling = 10.0 ** (ceiling_dbtp / 20.0)
        self._reach = round(0.005 * sample_rate_hz)
        window = np.hanning(2 * self._reach + 3)[1:-1]
        self._window = window / window.sum()
        self._context = 2 * self._reach + TAPS
        self._sound: FloatArray = np.zeros(self._context, dtype=np.float32)

    def process(self, block: FloatArray) -> FloatArray:
        """Process the next samples, shape (N,), float32; returns the finished ones: about 10 ms fewer."""
        self._sound = np.concatenate([self._sound, block])
        finished = len(self._sound) - 2 * self._context
        if finished <= 0:
            return np.zeros(0, dtype=np.float32)
        # In small pieces: most of them hold no peak and cost next to nothing.
        pieces = [
            self._limited(self._sound[first : min(first + _PIECE, finished) + 2 * self._context])
            for first in range(0, finished, _PIECE)
        ]
        self._sound = self._sound[finished:]
        return np.concatenate(pieces)

    def flush(self) -> FloatArray:
        """Remaining samples, as if silence followed."""
        return self.process(np.zeros(self._context, dtype=np.float32))

    def _limited(self, sound: FloatArray) -> FloatArray:
        """Limited samples of ``sound``, without ``context`` ones at either end."""
        inner = sound[self._context : -self._context]
        if float(np.max(np.abs(sound))) * FILTER_GAIN <= self._ceiling:
            return inner
        after = interpolated_peaks(sound.astype(np.float64))
        peaks = np.maximum(after[:-1], after[1:])
        if float(np.max(peaks)) <= self._ceiling:
            return inner
        wanted = np.minimum(1.0, self._ceiling / np.maximum(peaks, 1e-12))
        return (inner * self._smoothed(wanted)).astype(np.float32)

    def _smoothed(self, wanted: DoubleArray) -> DoubleArray:
        held = lowest(wanted, 2 * self._reach + 1)
        # Rounding may leave a sum of ones slightly below one: samples away from any peak must stay unchanged.
        gain = np.convolve(held, self._window, mode="valid")
        untouched = lowest(held, 2 * self._reach + 1) >= 1.0
        return np.where(untouched, 1.0, gain)


def lowest(values: DoubleArray, width: int) -> DoubleArray:
    """Running minimum of every ``width`` neighbours.

    Args:
        values: shape (N,), N >= width.
        width: 1 or more.

    Returns:
        Shape (N - width + 1,).
    """
    covered = 1
    while 2 * covered <= width:
        values = np.minimum(values[:-covered], values[covered:])
        covered *= 2
    rest = width - covered
    return np.minimum(values[: len(values) - rest], values[rest:])
