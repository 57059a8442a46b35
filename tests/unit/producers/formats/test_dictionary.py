from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from koebin.engine.errors import InvalidDictionary, InvalidInput
from koebin.engine.text.dictionary import Dictionary, Entry
from koebin.producers.formats.dictionary import load_dictionaries, load_dictionary, parse_dictionary

TABLE = """\
[words]
"声便" = { reading = "こえびん", accent = 2 }
"市" = { reading = "シ", accent = 1, priority = 5 }
"""
LIST = """\
[[word]]
surface = "声便"
reading = "コエビン"
accent = 2
[[word]]
surface = "市"
reading = "シ"
accent = 1
priority = 5
"""
WORDS = Dictionary([Entry("声便", "コエビン", 2), Entry("市", "シ", 1, 5)])


@pytest.mark.parametrize(
    ("suffix", "text"),
    [
        (".toml", TABLE),
        (".toml", LIST),
        (".csv", "声便,コエビン,2\n市,シ,1,5\n"),
        (".csv", "# 注\nsurface,reading,accent,priority\n声便,コエビン,2,\n\n市, シ ,1,5\n"),
        (".csv", '読み,表記,優先度,アクセント\nコエビン,"声便",,2\nシ,市,5,1\n'),
        (".json", WORDS.to_json()),
    ],
)
def test_every_kind_says_the_same(suffix, text):
    assert parse_dictionary(text, suffix) == WORDS


def test_a_user_dictionary_of_open_jtalk_is_taken_as_it_is():
    grammar = "名詞,固有名詞,一般,*,*,*"
    rows = f"声便,1348,1348,5000,{grammar},声便,コエビン,コエビン,2/4,C1\n市,,,1,{grammar},市,シ,シ\n"
    assert parse_dictionary(rows, ".csv") == Dictionary([Entry("声便", "コエビン", 2), Entry("市", "シ")])
    with pytest.raises(InvalidDictionary, match="accent is not a number: 'x'"):
        parse_dictionary(rows.replace("2/4", "x/4"), ".csv")


def test_a_reading_alone_is_enough():
    assert (
        parse_dictionary('[words]\n"市" = "シ"', ".toml")
        == parse_dictionary("市,シ", ".csv")
        == Dictionary([Entry("市", "シ")])
    )


@pytest.mark.parametrize(
    ("suffix", "text", "line", "what"),
    [
        (".toml", "[words]\n市 = 'シ'", 2, "not TOML"),
        (".toml", "[words]\n\n'市' = 'city'", 3, "a reading is not kana"),
        (".toml", "[words]\n'市' = 1", 2, "a word without a reading"),
        (".toml", "[words]\n'市' = {accent = 1}", 2, "a word has no reading"),
        (".toml", "[words]\n'市' = {reading = 'シ', tone = 1}", 2, "a word has an unknown field"),
        (".toml", "[words]\n'市' = {reading = 'シ', accent = '1'}", 2, "accent has the wrong type"),
        (".toml", "[words]\n'市' = {reading = 'シ', accent = true}", 2, "accent has the wrong type"),
        (".toml", "[words]\n'市' = {reading = 'シ', accent = 2}", 2, "accent of 市 is out of range"),
        (".toml", "words = 1", 0, "words is not a table"),
        (".toml", "word = 1", 0, "word is not a list of tables"),
        (".toml", "", 0, "no words"),
        (".toml", "[wards]", 0, "an unknown table"),
        (
            ".toml",
            "[words]\n'市' = 'シ'\n[[word]]\nsurface='市'\nreading='イチ'",
            3,
            "the word stands in line 2 already",
        ),
        (".toml", "x = " + "[" * 5000, 0, "nested too deeply"),
        (".csv", "市,シ\nABC,エー\nＡＢＣ,ビー", 3, "the word stands in line 2 already"),
        (".csv", "市", 1, "a word has no reading"),
        (".csv", "市,シ,x", 1, "accent is not a number"),
        (".csv", "市,シ,1,2,3", 1, "too many columns"),
        (".csv", "surface,readings\n市,シ", 1, "an unknown column"),
        (".csv", '市,"シ', 1, "not CSV: unexpected end of data"),
        (".json", "[{]", 1, "not JSON"),
        (".yaml", "", 0, "not a kind of dictionary"),
    ],
)
def test_mistakes_have_a_line(suffix, text, line, what):
    with pytest.raises(InvalidDictionary) as caught:
        parse_dictionary(text, suffix)
    assert caught.value.what.startswith(what)
    assert caught.value.line == line


def test_files_name_themselves_in_mistakes(tmp_path):
    (tmp_path / "a.csv").write_text("市,city")
    with pytest.raises(InvalidDictionary, match=r"line 1: a\.csv: a reading is not kana"):
        load_dictionary(tmp_path / "a.csv")
    with pytest.raises(InvalidDictionary, match="cannot be read"):
        load_dictionary(tmp_path / "b.csv")
    (tmp_path / "c.csv").write_bytes("市,シ".encode("cp932"))
    with pytest.raises(InvalidDictionary, match=r"c\.csv: the text is not UTF-8"):
        load_dictionary(tmp_path / "c.csv")
    (tmp_path / "d.csv").write_bytes("\ufeff市,シ".encode())
    assert load_dictionary(tmp_path / "d.csv").entries == (Entry("市", "シ"),)


def test_of_several_files_the_later_one_holds(tmp_path):
    (tmp_path / "a.csv").write_text("市,シ\n町,マチ")
    (tmp_path / "b.toml").write_text('[words]\n"市" = "イチ"')
    words = load_dictionaries([tmp_path / "a.csv", tmp_path / "b.toml"])
    assert [(word.surface, word.reading) for word in words.entries] == [("市", "イチ"), ("町", "マチ")]
    assert load_dictionaries([]) == Dictionary()


def test_the_example():
    assert len(load_dictionary(Path(__file__).parents[4] / "examples/dictionary.toml").entries) == 2


TOKENS = "[words] [[word]] = , ' { } # 市 シ surface reading accent 1"
PIECES = st.sampled_from([*TOKENS.split(), '"', "\n", "\0"])


@settings(deadline=None, max_examples=150)
@given(st.lists(PIECES, max_size=20).map("".join), st.sampled_from([".toml", ".csv", ".json"]))
def test_any_text_gives_a_dictionary_or_an_error_of_ours(text, suffix):
    try:
        found = parse_dictionary(text, suffix)
    except InvalidInput as error:
        str(error).encode()
    else:
        assert isinstance(found, Dictionary)
