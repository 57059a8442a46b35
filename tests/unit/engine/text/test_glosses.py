"""Readings in brackets behind their word: spoken once, as given; remarks in brackets stay what they are."""

from __future__ import annotations

import pytest

from koebin.engine.reading import Reading
from koebin.engine.text.dictionary import Dictionary, Entry
from koebin.engine.text.frontend import analyze, read_sentence


def said(text: str, *readings: Reading) -> str:
    return "".join(node.pron for node in analyze(text, readings=readings).nodes).replace("’", "")


@pytest.mark.parametrize(
    ("text", "kana"),
    [
        ("彼を貶（おとし）めた。", "カレヲオトシメタ、"),
        ("魑魅魍魎（ちみもうりょう）だ。", "チミモーリョーダ、"),
        ("辛（つら）い話。", "ツライハナシ、"),
        ("山田太郎（やまだたろう）さん。", "ヤマダタローサン、"),
        ("運命（さだめ）に抗（あらが）う。", "サダメニアラガウ、"),
        ("魚(うお)は泳ぐ。", "ウオワオヨグ、"),
    ],
)
def test_a_reading_is_spoken_once(text: str, kana: str) -> None:
    assert said(text) == kana


@pytest.mark.parametrize(
    ("text", "kana"),
    [
        ("彼（たぶん）は来る。", "カレ、タブン、ワクル、"),
        ("東京（そのほか）へ。", "トーキョー、ソノホカ、エ、"),
        ("肉（など）を買う。", "ニク、ナド、ヲカウ、"),
        ("会議（かいぎ室）で。", "カイギ、カイギシツ、デ、"),
        ("猫（とてもとてもちいさな）が。", "ネコ、トテモトテモチーサナ、ガ、"),
    ],
)
def test_a_remark_is_no_reading(text: str, kana: str) -> None:
    assert said(text) == kana


def test_words_know_where_they_stand() -> None:
    text = "彼を貶（おとし）めた。"
    assert read_sentence(text).boundaries == [0, 1, 2, 9, 10, len(text)]


def test_the_users_words_win() -> None:
    words = Dictionary([Entry("運命", "ウンメイ", 1)])
    spoken = "".join(node.pron for node in analyze("運命（さだめ）だ。", dictionary=words).nodes)
    assert spoken.startswith("ウンメイ")
    assert said("運命（さだめ）だ。", Reading(0, 2, "ウンメイ")).startswith("ウンメイ")
