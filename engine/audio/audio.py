"""Audio in memory: samples with the timings of what was spoken."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from koebin.engine.audio.marks import Marks
from koebin.engine.errors import InferenceFailed, InvalidOption

FloatArray = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Audio:
    """Mono speech with its timings.

    Attributes:
        samples: shape (N,), float32, nominally within [-1, 1]; louder samples are kept here and scaled where a
            format cannot hold them. Anything that ``np.asarray`` makes one-dimensional floats of is accepted.
        sample_rate_hz: 8,000 to 192,000.
        marks: seconds from the first sample.

    Raises:
        InferenceFailed: a sample is NaN or infinite.
        InvalidOption: more than one channel, or a sample rate out of range.
    """

    samples: FloatArray
    sample_rate_hz: int
    marks: Marks = field(default_factory=Marks)

    def __post_init__(self) -> None:
        samples = np.ascontiguousarray(self.samples, dtype=np.float32)
        if samples.ndim != 1:
            raise InvalidOption("audio is not mono", str(samples.shape), "Give an array of shape (N,)")
        if not 8_000 <= self.sample_rate_hz <= 192_000:
            raise InvalidOption("sample rate is out of range", str(self.sample_rate_hz), "Use 8000 to 192000 Hz")
        if not np.isfinite(samples).all():
            raise InferenceFailed("a sample is not a finite number", "", "Check the voice's weights")
        object.__setattr__(self, "samples", samples)

    def __repr__(self) -> str:
        return f"Audio({self.duration_seconds:.2f} s, {self.sample_rate_hz} Hz, {len(self.marks.sentences)} sentences)"

    def __len__(self) -> int:
        return len(self.samples)

    @property
    def duration_seconds(self) -> float:
        return len(self.samples) / self.sample_rate_hz

    @property
    def peak(self) -> float:
        """Largest absolute sample; 0.0 for an empty audio."""
        return float(np.max(np.abs(self.samples), initial=0.0))

    def with_gain(self, db: float) -> Audio:
        """Audio that is ``db`` louder; nothing is clipped."""
        if not math.isfinite(db):
            raise InvalidOption("gain is not a finite number", str(db), "Give decibels")
        return replace(self, samples=self.samples * np.float32(10.0 ** (db / 20.0)))

    def resampled(self, sample_rate_hz: int) -> Audio:
        """Audio at another sample rate; marks are in seconds and stay."""
        if sample_rate_hz == self.sample_rate_hz:
            return self
        return Audio(resample(self.samples, self.sample_rate_hz, sample_rate_hz), sample_rate_hz, self.marks)

    @classmethod
    def joined(cls, parts: Sequence[Audio], pauses: float | Sequence[float] = 0.0) -> Audio:
        """One audio from several, at the sample rate of the first.

        Args:
            parts: at least one.
            pauses: seconds of silence between two parts: one number for all of them, or ``len(parts) - 1`` numbers
                (one more is the silence after the last part).

        Raises:
            InvalidOption: no parts, or pauses that do not fit them.
        """
        if not parts:
            raise InvalidOption("there is no audio to join", "", "Give at least one part")
        rate = parts[0].sample_rate_hz
        gaps = _gaps(pauses, len(parts))
        pieces: list[FloatArray] = []
        marks: list[Marks] = []
        position = 0
        for part, gap in zip(parts, gaps, strict=True):
            samples = part.resampled(rate).samples
            silence = np.zeros(round(gap * rate), dtype=np.float32)
            marks.append(part.marks.shifted(position / rate))
            pieces += [samples, silence]
            position += len(samples) + len(silence)
        return cls(np.concatenate(pieces), rate, Marks.joined(marks))

    def save(self, path: str | Path, *, format: str | None = None, bitrate_kbps: int | None = None) -> Path:  # noqa: A002
        """Write a file and return its path; a reader sees the whole file or none.

        Args:
            path: its suffix names the format: wav, flac, mp3, opus (or ogg), m4a, m4b.
            format: overrides the suffix.
            bitrate_kbps: of a lossy format; None takes the format's default for speech.

        Raises:
            InvalidOption: an unknown format.
            BackendMissing: the format needs an extra that is not installed.
            StoreDenied, StoreFull, StoreNotFound: the file cannot be written.

        An audio louder than the format can hold is scaled to fit, never wrapped or clipped; a warning says by how much.
        """
        from koebin.engine.audio.encoding import save_audio

        return save_audio(self, Path(path), format, bitrate_kbps)

    def to_bytes(self, format: str = "wav", *, bitrate_kbps: int | None = None) -> bytes:  # noqa: A002
        """Content of the file that ``save`` would write."""
        from koebin.engine.audio.encoding import encode_audio

        return encode_audio(self, format, bitrate_kbps)

    def _repr_html_(self) -> str:
        """Player for notebooks."""
        import base64

        data = base64.b64encode(self.to_bytes("wav")).decode()
        return f'<audio controls src="data:audio/wav;base64,{data}"></audio>'


def resample(samples: FloatArray, from_hz: int, to_hz: int) -> FloatArray:
    """Change the sample rate with soxr's high-quality filter.

    Args:
        samples: shape (N,), float32.

    Returns:
        Shape (round(N * to_hz / from_hz),), float32.
    """
    import soxr

    length = round(len(samples) * to_hz / from_hz)
    if length == 0 or from_hz == to_hz:
        return samples[:length]
    out: FloatArray = np.asarray(soxr.resample(samples, from_hz, to_hz, quality="HQ"), dtype=np.float32)[:length]
    # soxr may stop one sample early; silence fills the promised length.
    return np.pad(out, (0, length - len(out)))


def _gaps(pauses: float | Sequence[float], parts: int) -> list[float]:
    if isinstance(pauses, (int, float)):
        gaps = [float(pauses)] * (parts - 1) + [0.0]
    else:
        gaps = [float(pause) for pause in pauses]
        gaps += [0.0] * (len(gaps) == parts - 1)
    if len(gaps) != parts:
        raise InvalidOption("pauses do not fit the parts", str(len(gaps)), f"Give {parts - 1} of them")
    if not all(math.isfinite(gap) and 0.0 <= gap <= 3600.0 for gap in gaps):
        raise InvalidOption("a pause is out of range", str(gaps), "Use 0 to 3600 seconds")
    return gaps
