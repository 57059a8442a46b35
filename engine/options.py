"""Synthesis options and their ranges."""

from __future__ import annotations

from dataclasses import dataclass, fields
from numbers import Real
from typing import Any, Final

from koebin.engine.errors import InvalidOption

RANGES: Final[dict[str, tuple[float, float]]] = {
    "style_weight": (-10.0, 10.0),
    "speed": (0.25, 4.0),
    "pitch": (-24.0, 24.0),
    "intonation": (0.0, 3.0),
    "accent_strength": (0.0, 1.5),
    "volume": (-60.0, 20.0),
    "pause": (0.0, 60.0),
    "noise_scale": (0.0, 2.0),
    "noise_scale_w": (0.0, 2.0),
    "sdp_ratio": (0.0, 1.0),
    "speaker_id": (0, 65535),
    "seed": (0, 2**63 - 1),
    "take": (0, 1000),
}
"""Inclusive range of every numeric option."""

_INTEGERS: Final = ("speaker_id", "seed", "take")


@dataclass(frozen=True, slots=True)
class SynthesisOptions:
    """Everything besides the text that decides the sound.

    Attributes:
        style: a style of the speaker; "" is the speaker's first one.
        style_weight: how far from the mean style, 1.0 as trained.
        speed: speaking rate, 2.0 is twice as fast (the length scale of VITS is 1 / speed).
        pitch: shift of the fundamental frequency in semitones.
        intonation: scale of the fundamental frequency's movement about its mean, 1.0 as spoken, 0.0 flat.
        accent_strength: how much the accents of the text count against BERT's opinion in a JP-Extra voice, 1.0 as
            trained; see ``bert_weight``. The built-in voices always speak the accents of the text.
        volume: gain in dB.
        pause: seconds between sentences; None lets the voice's duration model decide.
        noise_scale: scale of the prior noise (VITS), 0.6 as published.
        noise_scale_w: scale of the noise of the stochastic duration predictor.
        sdp_ratio: share of the stochastic duration predictor against the deterministic one.
        speaker_id: row of a multi-speaker voice.
        seed: changes the noise and nothing else.
        take: number of the take of the same text; the quality gate raises it.

    Raises:
        InvalidOption: a value out of its range, or not a number.
    """

    style: str = ""
    style_weight: float = 1.0
    speed: float = 1.0
    pitch: float = 0.0
    intonation: float = 1.0
    accent_strength: float = 1.0
    volume: float = 0.0
    pause: float | None = None
    noise_scale: float = 0.6
    noise_scale_w: float = 0.8
    sdp_ratio: float = 0.2
    speaker_id: int = 0
    seed: int = 0
    take: int = 0

    def __post_init__(self) -> None:
        _check_style(self.style)
        for name, (low, high) in RANGES.items():
            value = getattr(self, name)
            if value is None and name == "pause":
                continue
            object.__setattr__(self, name, _number(name, value, low, high))

    def content(self) -> dict[str, Any]:
        """Every option but the pause between sentences: what decides the samples of one sentence.

        An accent strength of 1 is left out, so that a sentence keeps the noise that it had before there was one.
        """
        content = {name: getattr(self, name) for name in _CONTENT}
        if content["accent_strength"] == 1:
            del content["accent_strength"]
        return content

    @property
    def bert_weight(self) -> float:
        """Factor of BERT's features: 64 ** (1 - s) from an accent strength s of 1 upwards (1.5 is 1/8), and
        2 ** (1 - s) below it (0 is 2).
        """
        weight: float = (64.0 if self.accent_strength >= 1 else 2.0) ** (1.0 - self.accent_strength)
        return weight


_CONTENT: Final = tuple(field.name for field in fields(SynthesisOptions) if field.name != "pause")


def _check_style(style: object) -> None:
    if not isinstance(style, str) or len(style) > 64:
        raise InvalidOption("style is not a name", str(style), "Use a style of the speaker, or ''")


def _number(name: str, value: object, low: float, high: float) -> float | int:
    wanted = int if name in _INTEGERS else float
    number: Any = value  # numpy's numbers are accepted, too
    if isinstance(value, bool) or not isinstance(value, Real) or number != number:
        raise InvalidOption(f"{name} is not a finite number", str(value), f"Use {low} to {high}")
    if not low <= number <= high:
        raise InvalidOption(f"{name} is out of range", str(value), f"Use {low} to {high}")
    if wanted is int and int(number) != number:
        raise InvalidOption(f"{name} is not a whole number", str(value), f"Use {low} to {high}")
    return wanted(number)
