import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from koebin.engine.errors import InvalidText
from koebin.engine.text.analysis import Analysis
from koebin.engine.text.frontend import analyze
from koebin.engine.text.kana import analyze_kana, parse_accent, to_kana
from koebin.engine.text.prosody import phonemes
from koebin.engine.text.symbols import PUNCTUATION

GOLDEN = Path(__file__).parents[3] / "golden" / "text.jsonl"


def spoken(analysis: Analysis) -> list[tuple[str, int]]:
    result = phonemes(analysis)
    return [
        (phone, tone)
        for phone, tone in zip(result.phones, result.tones, strict=True)
        if phone not in PUNCTUATION | {"_"}
    ]


def test_kana_says_the_accents() -> None:
    result = phonemes(analyze_kana("コンニチワ、セ'カイ/ノ。"))
    assert " ".join(result.phones) == "_ k o N n i ch i w a , s e k a i n o . _"
    assert "".join(map(str, result.tones)) == "00011111110110000000"


def test_every_golden_text_there_and_back() -> None:
    for line in GOLDEN.read_text("utf-8").splitlines():
        analysis = analyze(json.loads(line)["text"])
        if analysis.labels:
            assert spoken(analyze_kana(to_kana(analysis))) == spoken(analysis)


@pytest.mark.parametrize("text", ["9" * 73, "ア" * 120])
def test_an_accent_phrase_of_more_morae_than_labels_count_there_and_back(text: str) -> None:
    analysis = analyze(text)
    assert spoken(analyze_kana(to_kana(analysis))) == spoken(analysis)


@pytest.mark.parametrize("mark", ["。", "？", "！"])
def test_the_final_mark_is_kept(mark: str) -> None:
    assert to_kana(analyze_kana(f"ソーデス{mark}")) == f"ソーデス{mark}"


def test_hiragana_and_other_widths_are_accepted() -> None:
    assert to_kana(analyze_kana("ｺﾝﾆﾁﾜ, とう’きょう?")) == "コンニチワ、トー'キョー？"


def test_parse_accent() -> None:
    assert parse_accent("サ'ンデン") == ("サンデン", 1)
    assert parse_accent("キョ’ー") == ("キョー", 1)
    assert parse_accent("サンデン") == ("サンデン", None)


@pytest.mark.parametrize(("kana", "column"), [("ア/abc", 3), ("漢字", 1), ("ア、ーイ", 3)])
def test_what_is_no_kana_is_refused_with_its_column(kana: str, column: int) -> None:
    with pytest.raises(InvalidText, match="not a reading") as caught:
        analyze_kana(kana)
    assert caught.value.column == column


@pytest.mark.parametrize("kana", ["'ア", "ア'イ'", "ア''イ"])
def test_accents_in_wrong_places_are_refused(kana: str) -> None:
    with pytest.raises(InvalidText, match="accent mark"):
        analyze_kana(kana)


PHRASE = st.lists(st.sampled_from("アキスッンキャーョ"), min_size=1, max_size=6).map("".join)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(PHRASE, st.sampled_from(["/", "、", "'", "？"])), max_size=6))
def test_any_kana_is_read_or_refused(pieces: list[tuple[str, str]]) -> None:
    try:
        analysis = analyze_kana("".join(phrase + mark for phrase, mark in pieces))
    except InvalidText:
        return
    again = analyze_kana(to_kana(analysis)) if analysis.labels else analysis
    assert spoken(again) == spoken(analysis)
