"""Interface of acoustic models, the same for every kind of voice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from koebin.engine.audio.marks import Marks
from koebin.engine.options import SynthesisOptions
from koebin.engine.text.analysis import Analysis

FloatArray = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Utterance:
    """Input of one pass through the network.

    Attributes:
        analysis: the front end's view of the text.
        options: synthesis options.
        seed: 128-bit seed of the utterance's noise (``koebin.engine.seeds.utterance_seed``).
    """

    analysis: Analysis
    options: SynthesisOptions
    seed: int


@dataclass(frozen=True, slots=True)
class Rendering:
    """Spoken utterance.

    Attributes:
        samples: shape (N,), float32, nominally within [-1, 1], mono; without the options' volume.
        marks: words, moras and phones in seconds; no sentence marks. The phones cover 0 to N / sample_rate_hz.
    """

    samples: FloatArray
    marks: Marks


@dataclass(frozen=True, slots=True)
class Begun:
    """Utterance of which everything is known but the samples.

    Attributes:
        utterance: being spoken.
        marks: as in ``Rendering``.
        length: samples of the whole.
        latent: shape (C, F), input of the decoder.
        pieces: windows of F, in order; those of one piece are decoded together.
    """

    utterance: Utterance
    marks: Marks
    length: int
    latent: FloatArray
    pieces: tuple[tuple[tuple[int, int], ...], ...]


class AcousticModel(Protocol):
    """Loaded voice.

    Instances are used from one thread at a time unless ``parallel`` is above 1.
    """

    @property
    def sample_rate_hz(self) -> int: ...

    @property
    def styles(self) -> tuple[str, ...]:
        """Names of the styles, the default first."""
        ...

    @property
    def speaker_count(self) -> int:
        """Number of speakers of a multi-speaker voice; ``options.speaker_id`` is below it."""
        ...

    @property
    def revision(self) -> str:
        """Revision; it changes with the weights, the configuration and the back end's arithmetic."""
        ...

    @property
    def parallel(self) -> int:
        """Number of threads that may call ``synthesize`` at once; 1 for a model that batches instead."""
        ...

    @property
    def batch_size(self) -> int:
        """Number of utterances for one call of ``synthesize``; 1 if a batch gains nothing."""
        ...

    def synthesize(self, utterances: Sequence[Utterance]) -> list[Rendering]:
        """Speak the utterances, in the given order; each result is independent of the others.

        Raises:
            InferenceFailed: NaN, or a negative duration.
            UnknownStyle, InvalidOption: an option that this voice does not have.
        """
        ...

    def predict_pause(self, first: Utterance, second: Utterance) -> float | None:
        """Seconds of silence that the voice would leave between two sentences in one breath; None if unknown.

        Counted from the end of the last spoken phone of ``first`` to the start of the first one of ``second``.
        """
        ...

    def close(self) -> None:
        """Release memory and devices."""
        ...


@runtime_checkable
class PiecewiseModel(AcousticModel, Protocol):
    """Model that can give the beginning of an utterance before its end is computed.

    Between two calls nothing is held: the model may be another one of the same revision by then.
    """

    def begin(self, utterance: Utterance) -> Begun | None:
        """Everything but the samples; None for an utterance that can only be spoken as a whole."""
        ...

    def piece(self, begun: Begun, number: int) -> FloatArray:
        """Samples of a piece; all pieces joined equal the samples of ``synthesize``, to the bit."""
        ...
