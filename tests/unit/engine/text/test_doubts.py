"""Words to look at: found where they stand, and silent where the reader was told."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from koebin.engine.errors import InvalidText
from koebin.engine.reading import Reading
from koebin.engine.text.dictionary import Dictionary, Entry
from koebin.engine.text.doubts import doubts


@pytest.mark.parametrize(
    ("text", "word", "reading", "reason", "other"),
    [
        ("賓客が来る。", "賓客", "ヒンキャク", "differs", "ヒンカク"),
        ("池に水面が映る。", "水面", "スイメン", "usual", ""),
        ("酸い思いで牛脚を売る。", "牛脚", "ウシアシ", "composed", ""),
        ("魑魅が出る。", "魑魅", "スダマ", "differs", "チミ"),
        ("齉魎と言う。", "齉魎", "ドーリョー", "unknown", ""),
    ],
)
def test_doubtful_words(text: str, word: str, reading: str, reason: str, other: str) -> None:
    found = {doubt.word: doubt for doubt in doubts(text)}[word]
    assert (found.reading, found.reason, found.other) == (reading, reason, other)
    assert text[found.start : found.end] == word


def test_latin_words_are_guessed() -> None:
    (found,) = doubts("Koebinを使う。")
    assert (found.word, found.reason, found.start, found.end) == ("Koebin", "guessed", 0, 6)


@pytest.mark.parametrize(
    "text", ["今日はいい天気です。", "東京へ行きたい。", "１２３円です。", "カタカナとひらがな。", "……"]
)
def test_ordinary_words_are_not(text: str) -> None:
    assert doubts(text) == []


@pytest.mark.parametrize(
    "text",
    ["私は何も言わない。", "人気のない道。", "手作りの本棚。", "各駅に止まる。", "お茶を飲む。"],
)
def test_what_experience_settles_is_not(text: str) -> None:
    assert doubts(text) == []


def test_what_the_user_settled_is_not() -> None:
    text = "魑魅と賓客、ＫＯＥＢＩＮ。"
    words = Dictionary([Entry("賓客", "ヒンキャク", 0), Entry("KOEBIN", "コエビン", 2)])
    assert [doubt.word for doubt in doubts(text)] == ["魑魅", "賓客", "ＫＯＥＢＩＮ"]
    assert doubts(text, [Reading(0, 2, "チミ")], words) == []


@settings(max_examples=40, deadline=None)
@given(st.text("居り魑魅 aKoebin１2。、齉\n々ー", max_size=30))
def test_spans_lie_in_the_text_in_order(text: str) -> None:
    try:
        found = doubts(text)
    except InvalidText:
        return
    assert all(text[doubt.start : doubt.end] == doubt.word for doubt in found)
    ends = [0, *(doubt.end for doubt in found)]
    assert all(end <= doubt.start for end, doubt in zip(ends, found, strict=False))
