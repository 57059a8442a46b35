import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from koebin.engine.text.sentences import split_long, split_sentences

GOLDEN = Path(__file__).parents[3] / "golden" / "text.jsonl"


def texts(text: str) -> list[str]:
    return [sentence.text for sentence in split_sentences(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        (" \n　", []),
        ("今日は雨。明日は晴れ", ["今日は雨。", "明日は晴れ"]),
        ("えっ？！そう", ["えっ？！", "そう"]),
        ("「はい。」と言った。", ["「はい。」と言った。"]),
        ("「はい。そうです。」と言った。", ["「はい。", "そうです。」と言った。"]),
        ("「はい。」彼は頷いた。", ["「はい。」", "彼は頷いた。"]),
        ("（そうか。）『ああ！』「うん」", ["（そうか。）", "『ああ！』", "「うん」"]),
        ('"はい。"と言った。', ['"はい。"と言った。']),
        ("はい。\n……\nいいえ。", ["はい。\n……", "いいえ。"]),
        ("……はい。", ["……はい。"]),
        ("！！\n？", ["！！\n？"]),
        ("一行目\r\n二行目", ["一行目", "二行目"]),
        ("3.14とA.B.Cです．次です.2番", ["3.14とA.B.Cです．", "次です.", "2番"]),
        ("えっと...そう｡うん", ["えっと...そう｡", "うん"]),
        ("＊\n本文。", ["＊\n本文。"]),
    ],
)
def test_sentences(text: str, expected: list[str]) -> None:
    assert texts(text) == expected


def test_golden_sentences_but_for_the_torn_quotation() -> None:
    cases = [json.loads(line) for line in GOLDEN.read_text("utf-8").splitlines()]
    differing = [case["text"] for case in cases if texts(case["text"]) != case["sentences"]]
    assert differing == ["「はい。」と彼女は答えた。"]


@settings(deadline=None)
@given(st.text(st.sampled_from("あ漢ア1a。！」「』『、.,．…\n 　ー\"'？ッ（）🎉ａ")))
def test_no_character_is_lost(text: str) -> None:
    position = 0
    for sentence in split_sentences(text):
        assert text[position : sentence.start].strip() == ""
        assert text[sentence.start : sentence.end] == sentence.text == sentence.text.strip() != ""
        position = sentence.end
    assert text[position:].strip() == ""


@settings(deadline=None)
@given(st.text(st.sampled_from("あ漢ア1a、。」「.,．… ー")), st.integers(1, 30))
def test_parts_join_to_the_whole_and_keep_the_limit(text: str, limit: int) -> None:
    parts = split_long(text, limit)
    assert "".join(parts) == text
    assert all(len(part) <= limit for part in parts)


def test_a_short_sentence_stays_whole() -> None:
    assert split_long("短い文です。", 200) == ["短い文です。"]


def test_long_sentences_are_cut_after_commas() -> None:
    text = "とても長い文がここにあって、" * 30
    assert all(part.endswith("、") for part in split_long(text, 100))


def test_without_commas_the_cut_lies_where_hiragana_ends() -> None:
    text = "長い文章が続く場所では言葉の途中を切る事はしない" * 20
    parts = split_long(text, 50)
    assert all(part[-1] in "がくではをのはい" for part in parts), parts


def test_numbers_and_words_are_not_torn() -> None:
    text = "価格は1,234,567円でコンピューターはcomputerと書く" * 10
    for left, right in zip(parts := split_long(text, 40), parts[1:], strict=False):
        assert not (left[-1].isascii() and right[0].isascii()), (left, right)
        assert not (left[-1] in "コンピュータ" and right[0] in "ンピューター"), (left, right)


def test_limit_is_checked() -> None:
    with pytest.raises(ValueError, match="limit"):
        split_long("あ", 0)
