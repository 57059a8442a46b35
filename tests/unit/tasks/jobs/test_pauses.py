"""Pauses after sentences, paragraphs and chapters."""

import pytest

from koebin import Passage, Pauses, SynthesisOptions
from koebin.tasks.jobs.pauses import pause_after, pause_between

PAUSES = Pauses(sentence=0.1, paragraph=0.2, chapter=0.3)


@pytest.mark.parametrize(
    ("passage", "between", "after"),
    [
        (Passage("文。", "mei", ends="span"), 0.1, 0.0),
        (Passage("文。", "mei", ends="sentence"), 0.1, 0.1),
        (Passage("文。", "mei", ends="paragraph"), 0.1, 0.2),
        (Passage("文。", "mei", ends="chapter"), 0.1, 0.3),
        (Passage("文。", "mei", SynthesisOptions(pause=0.5), ends="sentence"), 0.5, 0.5),
        (Passage("文。", "mei", SynthesisOptions(pause=0.5), ends="chapter"), 0.5, 0.3),
        (Passage("文。", "mei", SynthesisOptions(pause=0.5), ends="chapter", pause=4.0), 0.5, 4.0),
    ],
)
def test_the_input_comes_before_the_passage_and_the_passage_before_the_job(
    passage: Passage, between: float, after: float
) -> None:
    assert (pause_between(passage, PAUSES), pause_after(passage, PAUSES)) == (between, after)
