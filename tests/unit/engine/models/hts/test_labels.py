"""Phones, moras and words from labels and nodes."""

from __future__ import annotations

import pytest

from koebin.engine.models.hts.labels import Span, moras_of, pause_label, phone_of, spell_moras, words_of
from koebin.engine.text.analysis import Node


def node(surface: str, pron: str) -> Node:
    return Node(surface, pron, "名詞")


def test_the_phone_of_a_label() -> None:
    assert phone_of("xx^xx-sil+k=o/A:xx+xx+xx") == "sil"
    assert phone_of("o^N-n+i=ch/A:-2+3+3") == "n"


def test_moras_end_with_vowel_moraic_n_or_geminate() -> None:
    phones = ["sil", "g", "a", "cl", "k", "o", "o", "pau", "sh", "I", "N", "ky", "u", "sil"]
    assert moras_of(phones) == [
        Span("ガ", 1, 3),
        Span("ッ", 3, 4),
        Span("コ", 4, 6),
        Span("オ", 6, 7),
        Span("シ", 8, 10),
        Span("ン", 10, 11),
        Span("キュ", 11, 13),
    ]


def test_moras_are_spelled_as_the_dictionary_does() -> None:
    moras = moras_of(["sil", "t", "o", "o", "ky", "o", "o", "sil"])
    assert [mora.text for mora in spell_moras(moras, [node("東京", "トーキョー")])] == ["ト", "ー", "キョ", "ー"]


def test_words_last_from_their_first_to_their_last_mora_and_marks_have_none() -> None:
    moras = moras_of(["sil", "h", "a", "sh", "i", "o", "pau", "w", "a", "t", "a", "sil"])
    nodes = [node("橋", "ハ’シ"), node("を", "ヲ"), node("、", "、"), node("渡", "ワタ")]
    assert words_of(moras, nodes) == [Span("橋", 1, 5), Span("を", 5, 6), Span("渡", 7, 11)]


def test_a_long_mark_that_open_jtalk_drops_shifts_nothing() -> None:
    moras = moras_of(["sil", "s", "o", "o", "k", "a", "sil"])
    nodes = [node("ーー", "ーー"), node("そう", "ソー"), node("か", "カ")]
    assert [mora.text for mora in spell_moras(moras, nodes)] == ["ソ", "ー", "カ"]
    assert [word.text for word in words_of(moras, nodes)] == ["そう", "か"]


@pytest.mark.parametrize(
    ("pron", "phones", "expected"),
    [
        ("ヴァイオリン", ["v", "a", "i", "o", "r", "i", "N"], ["ヴァ", "イ", "オ", "リ", "ン"]),
        ("ヴョ", ["by", "o"], ["ヴョ"]),
        ("デェト", ["dy", "e", "t", "o"], ["デェ", "ト"]),
        ("ウォッカ", ["w", "o", "cl", "k", "a"], ["ウォ", "ッ", "カ"]),
        ("アァ", ["a", "a"], ["ア", "ァ"]),
        ("デス’", ["d", "e", "s", "U"], ["デ", "ス"]),
    ],
)
def test_small_kana_belong_to_their_mora(pron: str, phones: list[str], expected: list[str]) -> None:
    moras = moras_of(phones)
    assert [mora.text for mora in spell_moras(moras, [node("語", pron)])] == expected


def test_a_pause_label_is_what_open_jtalk_writes_between_the_two() -> None:
    before = (
        "o^u-sil+xx=xx/A:xx+xx+xx/B:20-1_2/C:xx_xx+xx/D:xx+xx_xx/E:3_2!0_0-xx/F:xx_xx#xx_xx@xx_xx|xx_xx"
        "/G:xx_xx%xx_xx_xx/H:3_9/I:xx-xx@xx+xx&xx-xx|xx+xx/J:xx_xx/K:1+3-9"
    )
    after = (
        "xx^xx-sil+t=o/A:xx+xx+xx/B:xx-xx_xx/C:xx_xx+xx/D:06+xx_xx/E:xx_xx!xx_xx-xx/F:xx_xx#xx_xx@xx_xx|xx_xx"
        "/G:3_3%0_0_xx/H:xx_xx/I:xx-xx@xx+xx&xx-xx|xx+xx/J:3_8/K:1+3-8"
    )
    assert pause_label(before, after) == (
        "o^u-pau+t=o/A:xx+xx+xx/B:20-1_2/C:xx_xx+xx/D:06+xx_xx/E:3_2!0_0-xx/F:xx_xx#xx_xx@xx_xx|xx_xx"
        "/G:3_3%0_0_xx/H:3_9/I:xx-xx@xx+xx&xx-xx|xx+xx/J:3_8/K:2+6-17"
    )
