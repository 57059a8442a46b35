"""Loudness meter (EBU R 128, ITU-R BS.1770) for streamed sound, and true peak.

Sources: ITU-R BS.1770-4 (K-weighting, gating, true peak), EBU R 128; the filters at any sample rate after De Man,
"Evaluation of implementations of the EBU R128 loudness measurement", AES 145 (2018).
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]
DoubleArray = NDArray[np.float64]

SILENCE = -math.inf
"""Loudness and peak of digital silence."""

_ABSOLUTE_GATE_LUFS = -70.0
_RELATIVE_GATE_LU = -10.0
_STEPS_PER_BLOCK = 4  # 400 ms in steps of 100 ms


@dataclass(frozen=True, slots=True)
class Loudness:
    """Loudness measurement.

    Attributes:
        integrated_lufs: gated loudness of the whole; -inf for silence.
        true_peak_dbtp: highest peak between the samples, in dB of full scale; -inf for silence.
        samples: number of measured samples.
    """

    integrated_lufs: float
    true_peak_dbtp: float
    samples: int


@dataclass(frozen=True, slots=True, eq=False)
class Section:
    """Loudness measurement of one section of a programme.

    Attributes:
        steps: mean K-weighted power of every whole 100 ms, shape (N,), float64.
        energy: K-weighted power summed over all samples.
        peak: highest absolute value between the samples.
        samples: number of measured samples.
    """

    steps: DoubleArray
    energy: float
    peak: float
    samples: int

    def louder(self, db: float) -> Section:
        """Measurement of the same sound, ``db`` louder."""
        factor = 10.0 ** (db / 20.0)
        return Section(self.steps * factor**2, self.energy * factor**2, self.peak * factor, self.samples)


class LoudnessMeter:
    """Meter of integrated loudness and true peak for mono sound, fed block by block.

    Memory: eight bytes per 100 ms, and a second of sound. The reading does not depend on how the sound is cut into
    blocks. A programme shorter than 400 ms counts as one block.
    """

    def __init__(self, sample_rate_hz: int) -> None:
        self._taps = k_weighting_taps(sample_rate_hz)
        self._step = round(sample_rate_hz / 10)
        self._piece = 10 * self._step
        self._size = 1 << (len(self._taps) - 2 + self._piece).bit_length()
        self._spectrum = np.fft.rfft(self._taps, self._size)
        self._before = np.zeros(len(self._taps) - 1)
        self._pending: FloatArray = np.zeros(0, np.float32)
        self._energies = array("d")
        self._peak = TruePeakMeter()
        self._samples = 0

    def update(self, block: FloatArray) -> None:
        """Add the next samples: shape (N,), float32."""
        if not len(block):
            return
        self._samples += len(block)
        self._peak.update(block)
        sound = np.concatenate([self._pending, block])
        whole = len(sound) - len(sound) % self._piece
        for first in range(0, whole, self._piece):
            self._energies.extend(self._means(self._power(sound[first : first + self._piece])))
            self._before = np.concatenate([self._before, sound[first : first + self._piece]])[-len(self._before) :]
        self._pending = sound[whole:]

    def read(self) -> Loudness:
        """Measurement of everything so far."""
        return read_together([self.section()])

    def _power(self, piece: FloatArray) -> DoubleArray:
        """Squared weighted samples of a chunk: shape (N,), N at most ``_piece``.

        Convolved by way of the spectrum; what wraps around falls on the samples before the piece.
        """
        sound = np.concatenate([self._before, piece])
        weighted = np.fft.irfft(np.fft.rfft(sound, self._size) * self._spectrum, self._size)
        return np.square(weighted[len(self._before) :][: len(piece)])

    def _means(self, power: DoubleArray) -> list[float]:
        """Means of the whole steps."""
        steps = len(power) // self._step
        means: list[float] = power[: steps * self._step].reshape(steps, self._step).mean(axis=1).tolist()
        return means

    def section(self) -> Section:
        """Measurement to be joined with those of other sections."""
        power = self._power(self._pending)
        energy = sum(self._energies) * self._step + float(power.sum())
        steps = np.array([*self._energies, *self._means(power)])
        return Section(steps, energy, self._peak.read(), self._samples)


def read_together(sections: Iterable[Section]) -> Loudness:
    """Joined measurement of consecutive sections that were measured separately.

    Steps of 100 ms begin anew with each section; what is left of the last one counts only where nothing else does. So
    between two sections less than 100 ms are not heard, of what should be silence.
    """
    found = list(sections)
    samples = sum(section.samples for section in found)
    steps = np.concatenate([section.steps for section in found]) if found else np.zeros(0)
    if len(steps) < _STEPS_PER_BLOCK:
        blocks = np.array([sum(section.energy for section in found) / max(samples, 1)])
    else:
        blocks = np.convolve(steps, np.full(_STEPS_PER_BLOCK, 1 / _STEPS_PER_BLOCK), mode="valid")
    peak = max((section.peak for section in found), default=0.0)
    return Loudness(_gated(blocks), _decibels(peak), samples)


class TruePeakMeter:
    """True peak meter: highest absolute value of mono sound at four times its sample rate.

    Source: ITU-R BS.1770-4, annex 2; with a longer interpolation filter than the one given there.
    """

    def __init__(self) -> None:
        self._peak = 0.0
        self._history = np.zeros(2 * TAPS)

    def update(self, block: FloatArray) -> None:
        """Add the next samples: shape (N,), float32."""
        for first in range(0, len(block), _PEAK_BLOCK):
            self._history = self._measure(block[first : first + _PEAK_BLOCK])

    def read(self) -> float:
        """Peak so far, as if silence followed."""
        before = self._history
        self._measure(np.zeros(TAPS, dtype=np.float32))
        self._history = before
        return self._peak

    def _measure(self, block: FloatArray) -> DoubleArray:
        sound = np.concatenate([self._history, block])
        # Upper bound of the filter's output; most blocks need no exact computation.
        if float(np.max(np.abs(sound))) * FILTER_GAIN > self._peak:
            self._peak = max(self._peak, float(np.max(interpolated_peaks(sound))))
        return sound[-2 * TAPS :]


def interpolated_peaks(sound: DoubleArray) -> DoubleArray:
    """Largest absolute value at and after each sample, before the next one, at four times the sample rate.

    Args:
        sound: shape (N + 2 * TAPS,), float64.

    Returns:
        Shape (N + 1,), the first one for the sample at index ``TAPS - 1``.
    """
    peaks: DoubleArray = np.abs(sound[TAPS - 1 : len(sound) - TAPS])
    for taps in _PHASES:
        np.maximum(peaks, np.abs(np.convolve(sound, taps, mode="valid")), out=peaks)
    return peaks


def k_weighting(sample_rate_hz: int) -> DoubleArray:
    """K-weighting filters at a sample rate, as second-order sections: shape (2, 6)."""
    k = math.tan(math.pi * 1681.974450955533 / sample_rate_hz)
    q = 0.7071752369554196
    high = 10.0 ** (3.999843853973347 / 20.0)
    band = high**0.4996667741545416
    a0 = 1.0 + k / q + k * k
    shelf = [
        (high + band * k / q + k * k) / a0,
        2.0 * (k * k - high) / a0,
        (high - band * k / q + k * k) / a0,
        1.0,
        2.0 * (k * k - 1.0) / a0,
        (1.0 - k / q + k * k) / a0,
    ]
    k = math.tan(math.pi * 38.13547087602444 / sample_rate_hz)
    q = 0.5003270373238773
    a0 = 1.0 + k / q + k * k
    high_pass = [1.0, -2.0, 1.0, 1.0, 2.0 * (k * k - 1.0) / a0, (1.0 - k / q + k * k) / a0]
    return np.array([shelf, high_pass])


@cache
def k_weighting_taps(sample_rate_hz: int) -> DoubleArray:
    """Impulse response of both filters, until it is below 1e-13 of its peak: a sixth of a second.

    Returns:
        Shape (ceil(sample_rate_hz / 6),), float64.
    """
    sound = [1.0] + [0.0] * (math.ceil(sample_rate_hz / 6) - 1)
    for b0, b1, b2, _, a1, a2 in k_weighting(sample_rate_hz).tolist():
        first = second = 0.0  # direct form II, transposed
        for index, value in enumerate(sound):
            out = b0 * value + first
            first, second = b1 * value - a1 * out + second, b2 * value - a2 * out
            sound[index] = out
    return np.array(sound)


def _gated(blocks: DoubleArray) -> float:
    """Mean over the blocks that pass both gates of BS.1770."""
    with np.errstate(divide="ignore"):
        loudness = -0.691 + 10.0 * np.log10(blocks)
    audible = loudness > _ABSOLUTE_GATE_LUFS
    if not audible.any():
        return SILENCE
    gate = -0.691 + 10.0 * math.log10(float(blocks[audible].mean())) + _RELATIVE_GATE_LU
    return -0.691 + 10.0 * math.log10(float(blocks[audible & (loudness > gate)].mean()))


def _decibels(amplitude: float) -> float:
    return 20.0 * math.log10(amplitude) if amplitude > 0.0 else SILENCE


TAPS = 12
"""Filter taps on either side of an interpolated sample."""

_PEAK_BLOCK = 4096


def _interpolator(fraction: float) -> DoubleArray:
    """Windowed sinc for the value at ``fraction`` of a sample after the centre; shape (2 * TAPS,)."""
    positions = np.arange(-TAPS + 1, TAPS + 1)
    window = np.kaiser(2 * TAPS * 64 + 1, 7.0)
    offsets = positions - fraction
    weights = np.interp(offsets, np.linspace(-TAPS, TAPS, len(window)), window)
    taps = np.sinc(offsets) * weights
    # np.convolve runs the filter backwards.
    return np.asarray((taps / taps.sum())[::-1])


_PHASES = tuple(_interpolator(fraction) for fraction in (0.25, 0.5, 0.75))
FILTER_GAIN = max(float(np.abs(taps).sum()) for taps in _PHASES)
"""Largest factor between a peak between samples and the highest sample."""
