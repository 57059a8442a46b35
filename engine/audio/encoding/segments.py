"""Segment codec: FLAC with 24 bit, as the store keeps segments."""

from __future__ import annotations

import io
import math

import numpy as np

from koebin.engine.audio.audio import Audio
from koebin.engine.audio.marks import Marks
from koebin.engine.errors import InvalidInput

_SCALE = "koebin-scale="


def encode_segment(audio: Audio) -> bytes:
    """FLAC bytes of one sentence; the same samples give the same bytes.

    Samples above full scale are halved as often as it takes, and a comment keeps the factor: ``decode_segment`` gives
    back what was spoken, and any other player plays it undistorted.

    Raises:
        InvalidInput: an audio without samples.
    """
    import soundfile

    if len(audio) == 0:
        raise InvalidInput("a segment has no samples")
    halvings = max(0, math.ceil(math.log2(audio.peak))) if audio.peak > 1.0 else 0
    buffer = io.BytesIO()
    with soundfile.SoundFile(buffer, "w", audio.sample_rate_hz, 1, format="FLAC", subtype="PCM_24") as file:
        if halvings:
            file.comment = f"{_SCALE}{2**halvings}"
        file.write(audio.samples / np.float32(2**halvings))
    return buffer.getvalue()


def decode_segment(data: bytes, marks: Marks | None = None) -> Audio:
    """Speech from FLAC bytes, within 2**-23 of the input of ``encode_segment`` (relative to its scale).

    Raises:
        InvalidInput: not FLAC, damaged, or not mono.
    """
    import soundfile

    try:
        with soundfile.SoundFile(io.BytesIO(data)) as file:
            if file.format != "FLAC" or file.channels != 1:
                raise InvalidInput("a segment is not mono FLAC", f"{file.format}, {file.channels} channels")
            samples = file.read(dtype="float32")
            announced, rate, comment = file.frames, file.samplerate, file.comment
    except soundfile.LibsndfileError as error:
        raise InvalidInput(f"a segment cannot be decoded ({error.error_string})") from error
    if len(samples) != announced:
        raise InvalidInput("a stored segment is truncated", f"{len(samples)} of {announced} samples")
    scale = float(comment.removeprefix(_SCALE)) if comment.startswith(_SCALE) else 1.0
    return Audio(samples * np.float32(scale), rate, marks if marks is not None else Marks())
