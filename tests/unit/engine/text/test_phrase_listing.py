"""Accent phrases and the text that each of them speaks."""

from __future__ import annotations

import pytest

from koebin.engine.reading import Reading
from koebin.engine.text.frontend import analyze
from koebin.engine.text.kana import to_kana
from koebin.engine.text.phrase_listing import AccentPhrase, read_phrases

TEXTS = [
    "今日は、とても良い天気ですね？",
    "東京特許許可局局長は、きっと来る。",
    "1,234円です！",
    "スーパーのコーヒーは学校で飲む。",
    "「はい」と、彼女は言った。",
    "どちらへ行きますか。",
]


def kana_of(phrases: list[AccentPhrase]) -> str:
    """As ``to_kana`` writes them."""
    text = ""
    for phrase in phrases:
        for place, mora in enumerate(phrase.moras, start=1):
            text += mora + ("'" if place == phrase.accent else "")
        text += "、" if phrase.pause else "/"
    return text[:-1]


@pytest.mark.parametrize("text", TEXTS)
def test_they_are_those_of_the_labels(text: str) -> None:
    assert kana_of(read_phrases(text)) == to_kana(analyze(text)).rstrip("。？！")


@pytest.mark.parametrize("text", TEXTS)
def test_spans_follow_each_other(text: str) -> None:
    end = 0
    for phrase in read_phrases(text):
        if phrase.start is not None and phrase.end is not None:
            assert end <= phrase.start < phrase.end <= len(text)
            end = phrase.end


def test_a_span_with_its_reading_is_the_same_phrase() -> None:
    text = "雨と傘を買った。"
    phrases = read_phrases(text)
    given = [
        Reading(phrase.start, phrase.end, "".join(phrase.moras), phrase.accent)
        for phrase in phrases
        if phrase.start is not None and phrase.end is not None
    ]
    assert [(p.moras, p.accent) for p in read_phrases(text, given)] == [(p.moras, p.accent) for p in phrases]
    first = given[0]
    other = [Reading(first.start, first.end, first.kana, 0), *given[1:]]
    assert read_phrases(text, other)[0].accent == 0


def test_whispered_vowels_are_told() -> None:
    (phrase,) = read_phrases("です。")
    assert (phrase.moras, phrase.whispered) == (("デ", "ス"), (False, True))


def test_kana_of_a_whole_sentence() -> None:
    found = read_phrases("世界", [Reading(0, 2, "コンニチワ、セ'カイ/ノ")])
    assert [("".join(phrase.moras), phrase.accent, phrase.pause) for phrase in found] == [
        ("コンニチワ", 0, True),
        ("セカイ", 1, False),
        ("ノ", 0, False),
    ]
