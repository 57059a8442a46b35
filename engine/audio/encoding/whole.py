"""Encoding of a whole audio to a file or to bytes in one call."""

from __future__ import annotations

import logging
import math
import tempfile
from pathlib import Path

from koebin.engine.audio.audio import Audio
from koebin.engine.audio.encoding.writer import Encoding, open_writer
from koebin.engine.audio.formats import find_format, format_of

_log = logging.getLogger(__name__)


def save_audio(audio: Audio, path: Path, format: str | None = None, bitrate_kbps: int | None = None) -> Path:  # noqa: A002
    """Write ``audio`` to ``path``; see ``Audio.save``."""
    chosen = format_of(path, format)
    fitted = fit(audio)
    with open_writer(path, Encoding(chosen.name, audio.sample_rate_hz, len(audio), bitrate_kbps)) as writer:
        writer.write(fitted.samples)
    return path


def encode_audio(audio: Audio, format: str, bitrate_kbps: int | None = None) -> bytes:  # noqa: A002
    """Content of the file that ``save_audio`` would write."""
    with tempfile.TemporaryDirectory(prefix="koebin-") as folder:
        name = find_format(format).name
        return save_audio(audio, Path(folder, f"audio.{name}"), name, bitrate_kbps).read_bytes()


def fit(audio: Audio) -> Audio:
    """Audio at full scale at most; a warning gives the attenuation."""
    if audio.peak <= 1.0:
        return audio
    overshoot_db = 20.0 * math.log10(audio.peak)
    _log.warning("The audio is %.2f dB above full scale and is attenuated by that amount", overshoot_db)
    return audio.with_gain(-overshoot_db)
