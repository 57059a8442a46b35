"""White space between Japanese characters."""

from __future__ import annotations

import pytest

from koebin.engine.reading import Reading
from koebin.producers.formats import white_space


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("第二章 数", "第二章 数"),
        ("雨が\n降る", "雨が降る"),
        ("雨が \r\n\t 降る", "雨が降る"),
        ("雨が\x0b\n降る", "雨が降る"),
        ("one\ntwo", "one two"),
        ("雨が\nrain", "雨が rain"),
        ("雨　が", "雨　が"),
    ],
)
def test_a_wrapped_line_is_one_and_a_typed_space_stays(written: str, meant: str) -> None:
    assert white_space.join_lines(white_space.collapse(written), [])[0] == meant


def test_readings_move_with_their_words() -> None:
    text, (first, second) = white_space.join_lines("あ\n雨 と\n雪", [Reading(2, 3, "アメ"), Reading(6, 7, "ユキ")])
    assert (text[first.start : first.end], text[second.start : second.end]) == ("雨", "雪")
