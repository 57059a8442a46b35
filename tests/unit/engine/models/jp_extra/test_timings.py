"""Durations become marks and pauses."""

from __future__ import annotations

import numpy as np
import pytest

from koebin.engine.models.jp_extra.timings import boundary, frames_between, frames_per_phone, marks_of
from koebin.engine.text.moras import Mora
from koebin.engine.text.prosody import Phonemes, Word, join

SHELL = Phonemes(
    phones=("_", "k", "a", "i", ".", "_"),
    tones=(0, 1, 1, 0, 0, 0),
    word2ph=(1, 3, 1, 1),
    bert_text="貝.",
    words=(
        Word("貝", "貝", (Mora("カ", ("k", "a")), Mora("イ", ("i",))), (2, 1), ("k", "a", "i"), (3,), True),
        Word("。", ".", (Mora("", (".",)),), (1,), (".",), (1,), False),
    ),
)
BLANKED = np.array([1, 2, 3, 4, 0, 5, 1, 6, 1, 7, 2, 8, 3])


def test_blanks_continue_the_phone_before_them() -> None:
    assert frames_per_phone(BLANKED, 6).tolist() == [6, 4, 6, 7, 9, 11]
    assert frames_per_phone(np.array([1, 2, 3]), 3).tolist() == [1, 2, 3]


def test_the_phones_cover_the_audio_and_hold_the_rest() -> None:
    marks = marks_of(SHELL, BLANKED, 0.01, 0.43)
    assert tuple(mark.text for mark in marks.phones) == SHELL.phones
    assert marks.phones[0].start == 0
    assert marks.phones[-1].end == 0.43
    assert all(a.end == b.start for a, b in zip(marks.phones, marks.phones[1:], strict=False))
    assert [(mark.text, mark.start, mark.end) for mark in marks.moras] == [
        ("カ", pytest.approx(0.06), pytest.approx(0.16)),
        ("イ", pytest.approx(0.16), pytest.approx(0.23)),
    ]
    assert [(mark.text, mark.start, mark.end) for mark in marks.words] == [
        ("貝", pytest.approx(0.06), pytest.approx(0.23))
    ]


def sounding(*phones: str) -> Phonemes:
    return Phonemes(phones, (0,) * len(phones), (1,) * len(phones), "".join(phones[1:-1]), ())


def test_a_pause_is_all_that_lies_between_two_spoken_phones() -> None:
    first, second = sounding("_", "a", ".", ".", "_"), sounding("_", "'", "i", "_")
    ends = boundary(first, second)
    assert ends == (1, 5)
    assert join(first, second).phones == ("_", "a", ".", ".", "'", "i", "_")
    blanked = np.arange(15)
    assert frames_between(blanked, 7, ends) == sum(range(4, 11))
    assert frames_between(np.arange(7), 7, ends) == 2 + 3 + 4


def test_without_punctuation_only_the_blank_is_left() -> None:
    ends = boundary(sounding("_", "a", "_"), sounding("_", "i", "_"))
    assert ends == (1, 2)
    assert frames_between(np.arange(9), 4, ends) == 4
    assert frames_between(np.arange(4), 4, ends) == 0


def test_a_sentence_without_a_sound_has_no_boundary() -> None:
    assert boundary(sounding("_", ".", "_"), sounding("_", "i", "_")) is None
    assert boundary(sounding("_", "a", "_"), sounding("_", "_")) is None
