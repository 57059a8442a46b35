"""What every acoustic model keeps to, so that a worker need not know which kind of voice it speaks with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from engine.marks import Marks
from engine.options import SynthesisOptions
from engine.text.analysis import Analysis

FloatArray = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Utterance:
    """What goes through the network in one pass.

    Attributes:
        analysis: the front end's view of the text.
        options: how it is to be spoken.
        seed: 128-bit seed of the utterance's noise (``engine.content.utterance_seed``).
    """

    analysis: Analysis
    options: SynthesisOptions
    seed: int


@dataclass(frozen=True, slots=True)
class Rendering:
    """An utterance as it was spoken.

    Attributes:
        samples: shape (N,), float32, nominally within [-1, 1], mono; without the options' volume.
        marks: words, moras and phones in seconds; no sentence marks. The phones cover 0 to N / sample_rate_hz.
    """

    samples: FloatArray
    marks: Marks


class AcousticModel(Protocol):
    """A loaded voice.

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
        """Rows of a multi-speaker voice; ``options.speaker_id`` is below it."""
        ...

    @property
    def revision(self) -> str:
        """Changes whenever the weights, the configuration or the back end's arithmetic do."""
        ...

    @property
    def parallel(self) -> int:
        """How many threads may call ``synthesize`` at once; 1 for a model that batches instead."""
        ...

    @property
    def batch_size(self) -> int:
        """How many utterances one call of ``synthesize`` should be given; 1 where a batch gains nothing."""
        ...

    def synthesize(self, utterances: Sequence[Utterance]) -> list[Rendering]:
        """Speak the utterances, in the order given; the result of one does not depend on the others' presence.

        Raises:
            InferenceFailed: NaN, or a negative duration.
            UnknownStyle, InvalidOption: an option that this voice does not have.
        """
        ...

    def predict_pause(self, first: Utterance, second: Utterance) -> float | None:
        """Seconds of silence the voice would leave between two sentences spoken in one breath; None if it cannot tell.

        Counted from the end of the last spoken phone of ``first`` to the start of the first one of ``second``.
        """
        ...

    def close(self) -> None:
        """Give back memory and devices."""
        ...
