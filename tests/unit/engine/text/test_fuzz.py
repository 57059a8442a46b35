"""Random and mutated sentences: each is read, or holds nothing to speak."""

from __future__ import annotations

import random
import unicodedata
from pathlib import Path

import pytest

from koebin.engine.errors import InvalidText
from koebin.engine.text.checks import check_text, has_speech
from koebin.engine.text.doubts import doubts
from koebin.engine.text.frontend import analyze_utterances
from koebin.engine.text.sentences import split_sentences

SENTENCES = [
    line.split("\t")[1]
    for line in (Path(__file__).parent / "cases.tsv").read_text("utf-8").splitlines()
    if line and not line.startswith("#")
]
PIECES = [
    *"、。！？…「」『』（）()《》｜〜ー-–−’'\"/\\&%$¥€@#*+=_^|<>[]{}・×＝々〇〆ゝヽ゛゜ｶﾞﾟっゃーんアヴヶ一十百千万億兆0123456789０５",
    *"abcXYZＡｚé\u0301\u200b\ufe0f\u3099\u00a0\u3000\n\t😊🇯🇵👨\u200d👩安﨑髙𠮷①㍿½²Яωа中국",
    *(
        "（おとし）",
        "（たぶん）",
        "3〜5",
        "10:30",
        "2026/11/30",
        "¥1,980",
        "1e-5",
        "www",
        "http://a.b/c?d=e",
        "iPhone 6s",
    ),
    *(
        "ああああああああああああああああああああああああああああああああああああ",
        "二三人",
        "御",
        "対",
        "さん",
        "ほど",
        "れる",
    ),
]
LIMIT = 0x110000


def mutated(dice: random.Random) -> str:
    """A sentence with some characters put in, left out, doubled or moved; one in ten is nothing but random ones."""
    if dice.random() < 0.1:
        return "".join(_anything(dice) for _ in range(dice.randrange(1, 12)))
    text = list(dice.choice(SENTENCES))
    for _ in range(dice.randrange(1, 6)):
        place = dice.randrange(len(text) + 1)
        kind = dice.random()
        if kind < 0.5:
            text[place:place] = dice.choice(PIECES) if dice.random() < 0.8 else _anything(dice)
        elif kind < 0.7:
            del text[place : place + dice.randrange(1, 4)]
        elif kind < 0.85:
            text[place:place] = text[place : place + 3]
        else:
            text[place:place] = dice.choice(SENTENCES)
    return "".join(text)


def _anything(dice: random.Random) -> str:
    char = chr(dice.randrange(LIMIT if dice.random() < 0.3 else 0x3000))
    return " " if unicodedata.category(char) == "Cs" else char


def read(text: str, *, look: bool) -> None:
    try:
        check_text(text)
    except InvalidText:
        assert not has_speech(text), text
        return
    for sentence in split_sentences(text):
        parts = analyze_utterances(sentence.text)
        assert "".join(part.text for part in parts) == sentence.text
        if look:
            doubts(sentence.text)


def fuzz(seed: int, count: int) -> None:
    dice = random.Random(seed)
    for number in range(count):
        text = mutated(dice)
        try:
            read(text, look=number % 50 == 0)
        except Exception as error:
            raise AssertionError(repr(text)) from error


def test_two_hundred_sentences() -> None:
    fuzz(1, 200)


@pytest.mark.slow
def test_a_hundred_thousand_sentences() -> None:
    fuzz(2, 100_000)
