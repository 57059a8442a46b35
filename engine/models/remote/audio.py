"""Samples of a server's answer: any container that libsndfile reads, mono, within bounds."""

from __future__ import annotations

import io
from typing import Final

import numpy as np

from koebin.engine.audio.audio import resample
from koebin.engine.audio.marks import Mark
from koebin.engine.errors import InferenceFailed, SourceUnavailable
from koebin.engine.limits import REMOTE_AUDIO_SECONDS
from koebin.engine.models.base import FloatArray

_UNKNOWN_LENGTH: Final = (0, 0xFFFFFFFF)
"""Sizes in the header of a WAV that is streamed."""
_SILENT: Final = 10 ** (-50 / 20)
_RATES: Final = range(8000, 192_001)


def decode(data: bytes, media_type: str, where: str) -> tuple[FloatArray, int]:
    """Samples, shape (N,), and their rate in Hz.

    Args:
        data: a whole file: WAV, FLAC, MP3 or Ogg.
        media_type: as the server calls it, for the message.
        where: address, for the message.

    Raises:
        InferenceFailed: no audio, or too long.
        SourceUnavailable: it ends in the middle.
    """
    import soundfile

    try:
        with soundfile.SoundFile(io.BytesIO(_whole(data, where))) as file:
            rate = file.samplerate
            if rate not in _RATES:
                raise InferenceFailed("the server's audio has an impossible sample rate", str(rate))
            most = int(REMOTE_AUDIO_SECONDS * rate)
            samples = file.read(most + 1, dtype="float32", always_2d=True)  # [N, channels]
    except soundfile.LibsndfileError:
        raise InferenceFailed(f"the server's answer is not audio ({media_type or 'no type'})", where) from None
    if len(samples) > most:
        raise InferenceFailed(f"the server speaks for more than {REMOTE_AUDIO_SECONDS:g} seconds", where)
    mono = samples.mean(axis=1, dtype=np.float32)
    if not len(mono) or not np.isfinite(mono).all():
        raise InferenceFailed("the server's audio is empty, or not numbers", where)
    return mono, rate


def _whole(data: bytes, where: str) -> bytes:
    """A WAV whose header promises no more than there is; one that was streamed gets its sizes.

    Raises:
        SourceUnavailable: it ends in the middle.
    """
    if data[:4] != b"RIFF" or data[8:12] != b"WAVE":
        return data
    position, fixed = 12, bytearray(data)
    while position + 8 <= len(data):
        name, size = data[position : position + 4], int.from_bytes(data[position + 4 : position + 8], "little")
        left = len(data) - position - 8
        if name == b"data":
            if size in _UNKNOWN_LENGTH:
                fixed[4:8] = (len(data) - 8).to_bytes(4, "little")
                fixed[position + 4 : position + 8] = left.to_bytes(4, "little")
            elif size > left:
                raise SourceUnavailable("the server's audio ends in the middle", where, "Try again")
            return bytes(fixed)
        position += 8 + size + size % 2
    raise SourceUnavailable("the server's audio ends before its first sample", where, "Try again")


def at_rate(samples: FloatArray, from_hz: int, to_hz: int) -> FloatArray:
    """The samples at the voice's rate."""
    return samples if from_hz == to_hz else resample(samples, from_hz, to_hz)


def sound_of(samples: FloatArray, sample_rate_hz: int, text: str) -> tuple[Mark, ...]:
    """One mark from the first to the last sound; () where all is silent."""
    loud = np.flatnonzero(np.abs(samples) > _SILENT * max(1e-9, float(np.abs(samples).max(initial=0.0))))
    if not len(loud) or not samples.any():
        return ()
    return (Mark(text, float(loud[0] / sample_rate_hz), float((loud[-1] + 1) / sample_rate_hz)),)
