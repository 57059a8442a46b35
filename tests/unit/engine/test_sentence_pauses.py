"""Pauses between the sentences of one text."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from koebin.engine.audio.audio import Audio
from koebin.engine.audio.marks import Mark, Marks
from koebin.engine.options import SynthesisOptions
from koebin.engine.request import Request
from koebin.engine.sentence_pauses import SpokenSentence, predict_with, with_pauses

RATE = 10_000


def sentence() -> SpokenSentence:
    """A second, of which the last 0.2 s are silence."""
    said = (Mark("あ", 0.0, 0.8),)
    sound = np.concatenate([np.full(8_000, 0.5, np.float32), np.zeros(2_000, np.float32)])
    utterance: Any = SimpleNamespace()
    return SpokenSentence(Audio(sound, RATE, Marks(said, (), said, said)), (utterance,))


@pytest.mark.parametrize(
    ("asked", "predicted", "seconds"), [(None, 0.5, 2.3), (None, 0.1, 2.0), (0.1, 0.5, 1.9), (0.5, 0.1, 2.3)]
)
def test_what_is_asked_for_is_kept_to_and_what_is_predicted_is_a_lower_bound(
    asked: float | None, predicted: float, seconds: float
) -> None:
    requests = [Request("あ。", SynthesisOptions(pause=asked))] * 2
    parts = with_pauses(iter([sentence(), sentence()]), requests, lambda *_: predicted)
    assert sum(part.duration_seconds for part in parts) == pytest.approx(seconds, abs=0.02)


@pytest.mark.parametrize(("says", "speed", "seconds"), [(0.7, 2.0, 0.7), (None, 1.0, 0.3), (None, 2.0, 0.15)])
def test_without_a_prediction_the_default_goes_with_the_speed(says: float | None, speed: float, seconds: float) -> None:
    model: Any = SimpleNamespace(predict_pause=lambda *_: says)
    first: Any = SimpleNamespace(options=SynthesisOptions(speed=speed))
    assert predict_with(model, first, first) == pytest.approx(seconds)
