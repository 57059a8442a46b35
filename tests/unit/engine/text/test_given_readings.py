"""Readings that are given with a text."""

from __future__ import annotations

import pytest

from koebin.engine.errors import InvalidText
from koebin.engine.reading import Reading
from koebin.engine.text.frontend import analyze_utterances
from koebin.engine.text.kana import analyze_kana, to_kana


def test_a_whole_sentence_may_be_spelt_with_its_accent_phrases() -> None:
    text = "今日は世界の皆さん。"
    kana = "コンニチワ、セ'カイ/ノ/ミナ'サン。"
    (spelt,) = analyze_utterances(text, (Reading(0, len(text), kana),))
    assert spelt.text == text
    assert to_kana(spelt) == kana
    assert spelt.labels == analyze_kana(kana).labels


@pytest.mark.parametrize(
    ("start", "end", "kana"),
    [(0, 2, "キョ'ー/ワ"), (0, 4, "アシタ/hello"), (0, 99, "ア/イ")],
    ids=["not the whole", "not kana", "beyond the text"],
)
def test_accent_phrases_belong_to_a_whole_sentence(start: int, end: int, kana: str) -> None:
    with pytest.raises(InvalidText):
        analyze_utterances("今日は雨", (Reading(start, end, kana),))
