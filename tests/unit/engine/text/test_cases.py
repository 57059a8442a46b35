"""Sentences with the readings that they should have: heteronyms, numbers, Latin words, Unicode, words after a mark."""

import itertools
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.readings.morae import norm_kana
from koebin.engine.text.frontend import analyze_utterances
from koebin.engine.text.sentences import split_sentences

CASES = [
    line.split("\t")
    for line in (Path(__file__).parent / "cases.tsv").read_text("utf-8").splitlines()
    if line and not line.startswith("#")
]
LEAST = {"het": 0.94, "cnt": 0.98, "lat": 0.94, "uni": 0.96, "mk": 1.0, "use": 0.98, "num": 0.96, "web": 1.0}


def said(text: str) -> str:
    analyses = [one for sentence in split_sentences(text) for one in analyze_utterances(sentence.text)]
    return "".join(node.pron for one in analyses for node in one.nodes)


def expected(pattern: str) -> Iterator[str]:
    depth, parts = 0, [""]
    for char in pattern:
        depth += (char == "{") - (char == "}")
        if char == "|" and not depth:
            parts.append("")
        else:
            parts[-1] += char
    for part in parts:
        pieces = re.split(r"\{([^}]*)\}", part)
        yield from map("".join, itertools.product(*[p.split("|") if i % 2 else [p] for i, p in enumerate(pieces)]))


@pytest.mark.parametrize("kind", LEAST)
def test_so_many_are_read_right(kind: str) -> None:
    cases = [case for case in CASES if case[0] == kind]
    wrong = [
        text for _, text, pattern in cases if norm_kana(said(text)) not in [norm_kana(one) for one in expected(pattern)]
    ]
    assert 1 - len(wrong) / len(cases) >= LEAST[kind], wrong


@pytest.mark.parametrize(
    ("text", "kana"),
    [
        ("雨が止んだので、学校へ通った。", "アメガヤンダノデ、ガッコーエカヨッタ"),
        ("お越しになる方はこちらへ。", "オコシニナルカタワ"),
        ("早く行った方がいい。", "ハヤクイッタホーガイー"),
        ("人気のない道を行った。", "ヒトケノナイミチヲイッタ"),
        ("この期に及んで金がない。", "コノゴニオヨンデカネガナイ"),
        ("今日では広く行われている。", "コンニチデワ"),
        ("彼は我を通した。", "カレワガヲトーシタ"),
        ("この頃から気配りを始めた。", "コノコロカラキクバリヲ"),
    ],
)
def test_context_decides(text: str, kana: str) -> None:
    spoken = "".join(norm_kana(said(text)))
    assert spoken.startswith("".join(norm_kana(kana))), said(text)
