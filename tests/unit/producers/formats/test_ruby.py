"""Ruby of plain text: the word that a reading belongs to, and what is no reading."""

import pytest

from koebin.engine.errors import InvalidScript
from koebin.producers.formats.load import parse_script
from koebin.producers.formats.source import source_from
from koebin.producers.formats.speaker_names import Voice


def script(text, kind="text"):
    return parse_script(source_from(text.encode(), kind), Voice("mei"))


def read(text):
    """Text, and what is read otherwise, of the first passage."""
    first = script(text).passages[0]
    return first.text, [(first.text[r.start : r.end], r.kana, r.accent) for r in first.readings]


@pytest.mark.parametrize(
    ("text", "readings"),
    [
        ("｜漢字《かんじ》です", [("漢字", "かんじ", None)]),
        ("|漢字《かんじ》です", [("漢字", "かんじ", None)]),
        ("この漢字《かんじ》です", [("漢字", "かんじ", None)]),
        ("｜ＮＨＫ《エヌエイチケー》", [("ＮＨＫ", "エヌエイチケー", None)]),
        ("漢《かん》字《じ》", [("漢", "かん", None), ("字", "じ", None)]),
        ("人々《ひとびと》", [("人々", "ひとびと", None)]),
        ("｜橋《はし'》", [("橋", "はし", 2)]),
        ("｜箸《は’し》", [("箸", "はし", 1)]),
        ("｜端《はし:0》", [("端", "はし", 0)]),
        ("｜今日《きょ'う》", [("今日", "きょう", 1)]),
        ("｜心《こゝろ》", [("心", "こころ", None)]),
        ("｜神戸 《こうべ》", [("神戸", "こうべ", None)]),
    ],
)
def test_readings(text, readings):
    assert read(text)[1] == readings


def test_a_bar_of_a_table_is_no_reading_of_a_sentence():
    assert read("| 太郎《はい、どうも。》") == ("| 太郎《はい、どうも。》", [])


def test_a_reading_belongs_to_a_word_and_not_to_a_paragraph():
    assert read("字" * 101 + "《じ》") == ("字" * 101, [])


@pytest.mark.parametrize("written", ["雨《ア'メ'》だ", "雨《あ'め:1》だ", "食《たべる》べる", "美《うつくしい》しい"])
def test_a_malformed_reading_is_refused_with_its_place(written: str) -> None:
    with pytest.raises(InvalidScript) as caught:
        script(f"今日は{written}。")
    assert (caught.value.line, caught.value.column) == (1, 5)
