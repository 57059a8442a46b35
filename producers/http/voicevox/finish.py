"""The sound of a query: its pauses, the silence at its ends, loudness, rate and channels."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from koebin.engine.audio.audio import Audio
from koebin.engine.audio.silence import silence_after, silence_before
from koebin.producers.http.voicevox.models import AudioQuery, Phrases

if TYPE_CHECKING:
    from koebin.engine.audio.audio import FloatArray

_KEPT_SECONDS: Final = 0.02
"""Of a pause so much stays beside each sound, which may fade into it."""
_REFERENCE_LOG_F0: Final = 5.5
"""ln(245 Hz): VOICEVOX multiplies the logarithm of each mora's frequency by 2**pitchScale; ours shift all alike."""


def semitones(pitch_scale: float) -> float:
    """``pitchScale`` as semitones: what it does to a frequency of 245 Hz."""
    shift: float = 12.0 / math.log(2.0) * _REFERENCE_LOG_F0 * (2.0**pitch_scale - 1.0)
    return max(-24.0, min(24.0, round(shift, 4)))


def wanted_pauses(query: AudioQuery, told: Phrases) -> list[float | None]:
    """Seconds of the pause after each phrase; None where none is wanted or nothing was changed.

    Args:
        told: the phrases as the voice speaks them.
    """
    found: list[float | None] = []
    for phrase, own in zip(query.accent_phrases, told, strict=False):
        if phrase.pause_mora is None:
            found.append(None)
            continue
        seconds = phrase.pause_mora.vowel_length if query.pauseLength is None else query.pauseLength
        seconds *= query.pauseLengthScale / query.speedScale
        unchanged = own.pause_mora is not None and abs(own.pause_mora.vowel_length - seconds) < 1e-4
        found.append(None if unchanged else seconds)
    return found


def with_pauses(audio: Audio, moras: Sequence[int], pauses: Sequence[float | None]) -> Audio:
    """The audio with other pauses between its phrases.

    Args:
        moras: how many each phrase has, in order.
        pauses: seconds after each phrase; None leaves what there is.
    """
    import numpy as np

    marks = audio.marks.moras
    pieces: list[FloatArray] = []
    position = end = 0
    for count, seconds in zip(moras, pauses, strict=True):
        end += count
        if seconds is None or not 0 < end < len(marks):
            continue
        first, last = marks[end - 1].end, marks[end].start
        change = round((seconds - (last - first)) * audio.sample_rate_hz)
        middle = round((first + last) / 2.0 * audio.sample_rate_hz)
        if change >= 0:
            pieces += [audio.samples[position:middle], np.zeros(change, np.float32)]
            position = middle
            continue
        room = max(0, round((last - first - 2 * _KEPT_SECONDS) * audio.sample_rate_hz))
        cut = min(-change, room)
        start = max(position, middle - cut // 2)
        pieces.append(audio.samples[position:start])
        position = start + cut
    return Audio(np.concatenate([*pieces, audio.samples[position:]]), audio.sample_rate_hz)


def ends_cut(audio: Audio, before: float, after: float) -> tuple[int, int]:
    """Samples to leave out at the head and at the tail (below 0: to add), so that so much silence is there."""
    rate = audio.sample_rate_hz
    return round((silence_before(audio) - before) * rate), round((silence_after(audio) - after) * rate)


def finished(query: AudioQuery, audio: Audio, head: int, tail: int) -> bytes:
    """A WAV file as the query asks for it."""
    import numpy as np
    import soundfile

    samples = audio.samples[max(0, head) :]
    samples = samples[: len(samples) - max(0, tail)] if tail > 0 else samples
    samples = np.concatenate([np.zeros(max(0, -head), np.float32), samples, np.zeros(max(0, -tail), np.float32)])
    # The scales bound the sound of a mora in VOICEVOX, too; silence at the ends is shortened by a faster speech.
    resampled = Audio(samples * np.float32(query.volumeScale), audio.sample_rate_hz).resampled(query.outputSamplingRate)
    scaled = np.clip(resampled.samples, -1.0, 1.0)
    if query.outputStereo:
        scaled = np.stack([scaled, scaled], axis=1)
    buffer = io.BytesIO()
    soundfile.write(buffer, scaled, query.outputSamplingRate, format="WAV", subtype="PCM_16")
    return buffer.getvalue()
