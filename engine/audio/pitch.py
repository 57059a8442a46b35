"""Pitch and intonation of finished speech, with the WORLD vocoder.

Source: WORLD, Morise et al., IEICE Trans. Inf. & Syst. E99-D(7), 2016; the pitch tracker is Harvest (Interspeech 2017).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]

_LOWEST_HZ = 20.0
"""Lowest pitch in Hz: a strongly exaggerated intonation would push it below zero."""

_SHORTEST_SECONDS = 0.03
"""Shortest audio in seconds with a detectable pitch: two periods of a low voice."""


def change_pitch(samples: FloatArray, sample_rate_hz: int, semitones: float, intonation: float) -> FloatArray:
    """Speech with its pitch shifted, and the pitch's movement about its mean scaled.

    Args:
        samples: shape (N,), float32.
        sample_rate_hz: 16000 and above.
        semitones: shift of the mean pitch, 0 leaves it.
        intonation: 1 leaves the movement, 0 flattens it, 2 doubles it.

    Returns:
        Shape (N,), float32. Unchanged where nothing is asked for or no voice is found.
    """
    if (semitones == 0 and intonation == 1) or len(samples) < _SHORTEST_SECONDS * sample_rate_hz:
        return samples
    import pyworld

    wave = samples.astype(np.float64)
    pitch_hz, times = pyworld.harvest(wave, sample_rate_hz)  # (frames of 5 ms,)
    voiced = pitch_hz > 0
    if not voiced.any():
        return samples
    envelope = pyworld.cheaptrick(wave, pitch_hz, times, sample_rate_hz)  # (frames, bins)
    breath = pyworld.d4c(wave, pitch_hz, times, sample_rate_hz)  # (frames, bins)
    mean = pitch_hz[voiced].mean()
    wanted = mean * 2 ** (semitones / 12) + (pitch_hz - mean) * intonation
    changed_hz = np.where(voiced, wanted.clip(min=_LOWEST_HZ), 0.0)
    changed = pyworld.synthesize(changed_hz, envelope, breath, sample_rate_hz)
    # WORLD rounds up to whole frames; the marks hold only if the length stays.
    kept = np.zeros_like(samples)
    kept[: len(changed)] = changed[: len(samples)]
    return kept
