"""Segment codec: FLAC with 24 bit, as the store keeps segments."""

from __future__ import annotations

import io
import math

import numpy as np

from koebin.engine.audio.audio import Audio
from koebin.engine.audio.marks import Marks
from koebin.engine.errors import InvalidInput
from koebin.engine.limits import SAMPLE_RATE_HZ, SEGMENT_SECONDS

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
        InvalidInput: not FLAC, damaged, not mono, or longer than ``SEGMENT_SECONDS``.
    """
    import soundfile

    try:
        with soundfile.SoundFile(io.BytesIO(data)) as file:
            if file.format != "FLAC" or file.channels != 1:
                raise InvalidInput("a segment is not mono FLAC", f"{file.format}, {file.channels} channels")
            announced, rate, comment = file.frames, file.samplerate, file.comment
            if not 0 < rate <= SAMPLE_RATE_HZ or not 0 <= announced <= SEGMENT_SECONDS * rate:
                raise InvalidInput("a stored segment is too long", f"{announced} samples at {rate} Hz")
            samples = file.read(announced, dtype="float32")
    except soundfile.LibsndfileError as error:
        raise InvalidInput(f"a segment cannot be decoded ({error.error_string})") from error
    if len(samples) != announced:
        raise InvalidInput("a stored segment is truncated", f"{len(samples)} of {announced} samples")
    scale = _scale(comment)
    if scale != 1.0:
        samples *= np.float32(scale)
    return Audio(samples, rate, marks if marks is not None else Marks())


def _scale(comment: str) -> float:
    """Factor that a segment's comment names. Raises: InvalidInput: it is no finite number."""
    if not comment.startswith(_SCALE):
        return 1.0
    try:
        scale = float(comment.removeprefix(_SCALE))
    except ValueError:
        scale = math.nan
    if not math.isfinite(scale):
        raise InvalidInput("a stored segment has a scale that is no number", comment[:80])
    return scale
