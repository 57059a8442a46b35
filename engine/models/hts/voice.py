"""Built-in voice of Open JTalk (HTS): no download, a hundredth of a neural voice's cost.

``mei`` is the voice as it was made; ``ken`` and ``hina`` are the same voice at another pitch and pace.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from koebin.engine.audio.marks import Mark, Marks
from koebin.engine.audio.pitch import change_pitch
from koebin.engine.checked_names import NEUTRAL_NAMES
from koebin.engine.errors import BackendMissing, InferenceFailed, InvalidOption, UnknownStyle
from koebin.engine.models.base import FloatArray, Rendering, Utterance
from koebin.engine.models.hts.durations import HtsDurations, IntArray
from koebin.engine.models.hts.labels import PAUSES, Span, moras_of, pause_label, phone_of, spell_moras, words_of
from koebin.engine.observer import stage
from koebin.engine.options import SynthesisOptions

if TYPE_CHECKING:
    from pyopenjtalk.htsengine import HTSEngine

_FULL_SCALE: Final = 32768.0 / 10 ** (-9.0 / 20.0)
"""Headroom in dB: the HTS engine exceeds 16-bit full scale by up to 8 dB."""
_SILENCE_SECONDS: Final = 0.3
_DEFAULTS: Final = SynthesisOptions()
_FIXED: Final = ("noise_scale", "noise_scale_w", "sdp_ratio")
"""Options without a meaning for this voice: a value other than the default is refused, not ignored."""


@dataclass(frozen=True, slots=True)
class Character:
    """Speaker derived from the voice: semitones and a speaking rate on top of the requested ones."""

    pitch: float = 0.0
    speed: float = 1.0


CHARACTERS: Final = {
    "mei": Character(),
    "ken": Character(pitch=-7.0, speed=0.94),
    "hina": Character(pitch=3.0, speed=1.08),
}


class BuiltinVoice:
    """``AcousticModel`` over the HTS engine.

    Args:
        name: one of ``CHARACTERS``.
        threads: number of utterances spoken at once; each has an engine of its own.

    Raises:
        BackendMissing: pyopenjtalk-plus is not installed.
        InvalidCheckpoint: its voice file is not readable.
    """

    def __init__(self, name: str, threads: int = 1) -> None:
        self._character = CHARACTERS[name]
        self._path = voice_path()
        self._durations = HtsDurations.load(self._path)
        self._engines: list[HTSEngine] = []
        self._engines_lock = threading.Lock()
        self._parallel = threads

    @property
    def sample_rate_hz(self) -> int:
        return self._durations.sample_rate_hz

    @property
    def styles(self) -> tuple[str, ...]:
        return ("Neutral",)

    @property
    def speaker_count(self) -> int:
        return 1

    @cached_property
    def revision(self) -> str:
        digest = hashlib.sha256(self._path.read_bytes())
        digest.update(f"{self._character.pitch}/{self._character.speed}/{_FULL_SCALE}".encode())
        return digest.hexdigest()[:16]

    @property
    def parallel(self) -> int:
        return self._parallel

    @property
    def batch_size(self) -> int:
        return 1

    def synthesize(self, utterances: Sequence[Utterance]) -> list[Rendering]:
        for utterance in utterances:
            _check(utterance.options)
        return [self._speak(utterance) for utterance in utterances]

    def predict_pause(self, first: Utterance, second: Utterance) -> float | None:
        """Duration that the duration model gives to a ``pau`` between the two."""
        if not (first.analysis.labels and second.analysis.labels):
            return None
        label = pause_label(first.analysis.labels[-1], second.analysis.labels[0])
        return float(self._durations.frames([label]).sum()) * self._frame_seconds / self._speed(first.options)

    def close(self) -> None:
        with self._engines_lock:
            self._engines.clear()

    def _speak(self, utterance: Utterance) -> Rendering:
        labels, options = utterance.analysis.labels, utterance.options
        phones = [phone_of(label) for label in labels]
        frames = self._durations.frames(labels, self._speed(options))
        if PAUSES.issuperset(phones):
            return self._silence(options)
        samples = self._run(labels, options)
        samples = change_pitch(samples, self.sample_rate_hz, 0.0, options.intonation)
        if len(samples) != int(frames.sum()) * self._durations.frame_period:
            raise InferenceFailed(
                "the HTS engine and its duration model disagree about the length", utterance.analysis.text
            )
        return Rendering(samples, self._marks(utterance, phones, frames))

    def _run(self, labels: Sequence[str], options: SynthesisOptions) -> FloatArray:
        with self._engine() as engine:
            # The engine forgets its settings after every utterance.
            engine.set_speed(self._durations.reachable_speed(labels, self._speed(options)))
            engine.add_half_tone(self._character.pitch + options.pitch)
            try:
                with stage("decoder"):
                    samples = engine.synthesize(list(labels))
            except RuntimeError as error:
                raise InferenceFailed(f"the HTS engine failed ({error})") from error
        scaled: FloatArray = (samples / _FULL_SCALE).astype(np.float32)
        if not np.isfinite(scaled).all():
            raise InferenceFailed("the HTS engine gave samples that are not numbers")
        return scaled

    def _silence(self, options: SynthesisOptions) -> Rendering:
        """Silence for text that cannot be spoken, as long as the voice's usual pause."""
        seconds = _SILENCE_SECONDS / self._speed(options)
        frames = max(1, round(seconds / self._frame_seconds))
        samples = np.zeros(frames * self._durations.frame_period, np.float32)
        return Rendering(samples, Marks(phones=(Mark("sil", 0.0, frames * self._frame_seconds),)))

    def _marks(self, utterance: Utterance, phones: Sequence[str], frames: IntArray) -> Marks:
        edges = np.concatenate([[0], np.cumsum(frames)]) * self._frame_seconds
        nodes = utterance.analysis.nodes
        moras = moras_of(phones)

        def mark(span: Span) -> Mark:
            return Mark(span.text, float(edges[span.start]), float(edges[span.end]))

        return Marks(
            words=tuple(mark(span) for span in words_of(moras, nodes)),
            moras=tuple(mark(span) for span in spell_moras(moras, nodes)),
            phones=tuple(mark(Span(phone, index, index + 1)) for index, phone in enumerate(phones)),
        )

    def _speed(self, options: SynthesisOptions) -> float:
        return self._character.speed * options.speed

    @property
    def _frame_seconds(self) -> float:
        return self._durations.frame_period / self._durations.sample_rate_hz

    @contextmanager
    def _engine(self) -> Iterator[HTSEngine]:
        """An engine that no other thread uses meanwhile."""
        with self._engines_lock:
            engine = self._engines.pop() if self._engines else None
        engine = engine or _new_engine(self._path)
        yield engine
        with self._engines_lock:
            self._engines.append(engine)


def voice_path() -> Path:
    """Voice file inside pyopenjtalk-plus.

    Raises:
        BackendMissing: pyopenjtalk-plus is not installed, or another package has its name.
    """
    try:
        import pyopenjtalk
    except ImportError as error:
        hint = "Install the engine extra: pip install 'koebin[engine]'"
        raise BackendMissing("pyopenjtalk-plus is not installed", "", hint) from error
    path = Path(pyopenjtalk.__file__).parent / "htsvoice" / "mei_normal.htsvoice"
    if not path.is_file():
        raise BackendMissing(
            "the installed pyopenjtalk has no built-in voice", "", "Install pyopenjtalk-plus in place of pyopenjtalk"
        )
    return path


def _new_engine(path: Path) -> HTSEngine:
    from pyopenjtalk.htsengine import HTSEngine

    return HTSEngine(str(path).encode())


def _check(options: SynthesisOptions) -> None:
    if options.style not in ("", *NEUTRAL_NAMES):
        raise UnknownStyle("the built-in voice has no such style", options.style, "Use Neutral")
    if options.speaker_id:
        raise InvalidOption("the built-in voice has a single speaker", str(options.speaker_id), "Use speaker_id 0")
    for name in _FIXED:
        if getattr(options, name) != getattr(_DEFAULTS, name):
            hint = f"Leave it at {getattr(_DEFAULTS, name)} or use a neural voice"
            raise InvalidOption(f"the built-in voice has no {name}", str(getattr(options, name)), hint)
