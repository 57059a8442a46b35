"""Plans of jobs: what a script may not hold is refused with its line before anything is stored."""

from __future__ import annotations

import pytest

from koebin.engine.errors import InvalidScript
from koebin.tasks.contracts import MAX_SEGMENT_CHARACTERS, Pauses
from koebin.tasks.jobs.planning import sentences
from koebin.tasks.script import Passage

LONGEST = "あ" * MAX_SEGMENT_CHARACTERS


def test_a_sentence_that_is_longer_than_any_segment_is_refused_with_its_line() -> None:
    """A text without an end of a sentence, such as a table without spaces."""
    passages = [Passage("短い文です。", "mei", line=1), Passage(f"次です。{LONGEST}い", "mei", line=7)]
    with pytest.raises(InvalidScript, match=r"line 7: a sentence of 20001 characters, of which 20000"):
        list(sentences(passages, Pauses()))


def test_the_longest_sentence_is_taken() -> None:
    assert [len(sentence.text) for sentence in sentences([Passage(f"{LONGEST}\n{LONGEST}", "mei")], Pauses())] == [
        MAX_SEGMENT_CHARACTERS
    ] * 2
