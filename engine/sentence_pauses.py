"""Pauses between the sentences of one text, and between the utterances of one sentence.

A pause is what the options say, else what the voice predicts, else ``DEFAULT_PAUSE_SECONDS`` divided by the speed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from koebin.engine.audio.audio import Audio
from koebin.engine.audio.silence import begin_after, shorten_end
from koebin.engine.models.base import AcousticModel, Utterance
from koebin.engine.request import Request

DEFAULT_PAUSE_SECONDS: Final = 0.3
"""Default pause between sentences in seconds, if neither the options nor the voice decide."""

Predict = Callable[[Utterance, Utterance], float]
"""Two utterances in a row -> seconds between the last sound of the one and the first of the other."""


@dataclass(frozen=True, slots=True)
class SpokenSentence:
    """Finished sentence, with the basis for predicting the pauses around it.

    Attributes:
        pause: predicted seconds before it, where they are known already.
    """

    audio: Audio
    utterances: tuple[Utterance, ...]
    pause: float | None = None


def predict_with(model: AcousticModel, first: Utterance, second: Utterance) -> float:
    """Pause that a voice predicts, in seconds; the default where it cannot."""
    predicted = model.predict_pause(first, second)
    return DEFAULT_PAUSE_SECONDS / first.options.speed if predicted is None else predicted


def with_pauses(sentences: Iterator[SpokenSentence], requests: Sequence[Request], predict: Predict) -> Iterator[Audio]:
    """Yield the sentences with the pause before each at its head.

    A pause that is asked for is kept to, also where the voice leaves more silence by itself; one that is predicted is a
    lower bound.
    """
    before: Audio | None = None
    spoken_before: tuple[Utterance, ...] = ()
    for number, (spoken, request) in enumerate(zip(sentences, requests, strict=True), start=1):
        audio, pause = spoken.audio, request.options.pause
        if pause is not None and number < len(requests):
            audio = shorten_end(audio, pause)
        if before is not None:
            seconds = spoken.pause if pause is None else pause
            if seconds is None:
                seconds = predict(spoken_before[-1], spoken.utterances[0])
            audio = begin_after(before, audio, seconds, cut=pause is not None)
        before, spoken_before = audio, spoken.utterances
        yield audio


def join_utterances(parts: Sequence[Audio], utterances: Sequence[Utterance], predict: Predict) -> Audio:
    """One sentence of its utterances; the pauses within it are kept to."""
    joined = list(parts)
    for index, (first, second) in enumerate(pairwise(utterances)):
        pause = predict(first, second)
        joined[index] = shorten_end(joined[index], pause)
        joined[index + 1] = begin_after(joined[index], joined[index + 1], pause, cut=True)
    return Audio.joined(joined)
