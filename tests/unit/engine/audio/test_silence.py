"""Silence between sentences, and what of it the voices bring along."""

from __future__ import annotations

import numpy as np
import pytest

from koebin.engine.audio.audio import Audio
from koebin.engine.audio.marks import Mark, Marks
from koebin.engine.audio.silence import begin_after, shorten_end, silence_after, silence_before

RATE = 8_000


def spoken(before: float, after: float) -> Audio:
    """A mora of one second between two silences."""
    samples = np.concatenate([np.zeros(round(before * RATE)), np.ones(RATE), np.zeros(round(after * RATE))])
    phones = (Mark("sil", 0.0, before), Mark("a", before, before + 1), Mark("sil", before + 1, before + 1 + after))
    sound = (Mark("ア", before, before + 1),)
    marks = Marks((Mark("あ。", 0.0, before + 1 + after, "mei"),), sound, sound, phones)
    return Audio(samples, RATE, marks)


@pytest.mark.parametrize(("before", "after"), [(0.3, 0.3), (0.0, 0.0), (0.01, 0.4), (0.4, 0.02)])
@pytest.mark.parametrize("pause", [0.1, 0.2, 0.39, 2.0])
def test_the_pause_is_what_was_asked_for(before: float, after: float, pause: float) -> None:
    first = shorten_end(spoken(before, after), pause)
    second = begin_after(first, spoken(before, after), pause, cut=True)
    assert silence_after(first) + silence_before(second) == pytest.approx(pause, abs=2 / RATE)
    for audio in (first, second):
        assert audio.samples.sum() == RATE, "no sound is cut"
        assert audio.marks.sentences[0].text == "あ。"
        assert audio.marks.phones[-1].end == pytest.approx(audio.duration_seconds)


def test_a_little_is_left_beside_the_sounds() -> None:
    first = shorten_end(spoken(0.3, 0.3), 0.0)
    second = begin_after(first, spoken(0.3, 0.3), 0.0, cut=True)
    assert silence_after(first) == pytest.approx(0.05)
    assert silence_before(second) == pytest.approx(0.05)


def test_a_predicted_pause_cuts_nothing() -> None:
    second = spoken(0.3, 0.3)
    assert begin_after(spoken(0.3, 0.3), second, 0.4, cut=False) is second
    longer = begin_after(spoken(0.3, 0.3), second, 0.7, cut=False)
    assert silence_before(longer) == pytest.approx(0.4)


def test_a_silent_sentence_keeps_its_mark_when_all_of_it_is_cut() -> None:
    silent = Audio(
        np.zeros(RATE), RATE, Marks(sentences=(Mark("…", 0.0, 1.0, "mei"),), phones=(Mark("sil", 0.0, 1.0),))
    )
    assert shorten_end(silent, 0.0).marks.sentences[0].text == "…"
