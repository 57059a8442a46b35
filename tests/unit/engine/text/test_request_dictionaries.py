"""A dictionary decides over the sentences that hold its words, and over no others."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from koebin.engine.text.dictionary import Dictionary, Entry
from koebin.engine.text.frontend import analyze
from koebin.tasks.contracts import ChunkDocument, Pauses, PlannedSpeaker
from koebin.tasks.jobs.planning import Target, plan_chunks
from koebin.tasks.script import Passage, Script

NAME = Entry("声便", "コエビン", 2)
TOWN = Entry("御徒町", "オカチマチ", 3)
FIRM = Entry("ＡＢＣ商事", "エービーシーショージ", 0)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("声便の朝。", {"声便"}),
        ("声\n便の朝。", {"声便"}),
        ("ＡＢＣ商事とABC商事。", {"ABC商事"}),
        ("ｱﾒﾘｶです。", {"アメリカ"}),
        ("声の便り。", set()),
    ],
)
def test_words_that_are_written_in_a_text(text: str, words: set[str]) -> None:
    dictionary = Dictionary([NAME, TOWN, FIRM, Entry("アメリカ", "アメリカ", 0)])
    assert {entry.surface for entry in dictionary.within(text).entries} == words


def test_two_dictionaries_at_once_in_many_threads() -> None:
    """Each request is read with its own words, whatever the others' dictionaries say of them."""
    readings = ["ボイスビン", "セイビン", "ショーベン", ""]
    dictionaries = [Dictionary([Entry("声便", kana, 0)]) if kana else None for kana in readings]
    with ThreadPoolExecutor(8) as pool:
        work = [(number % 4, f"{number}回目の声便です。") for number in range(200)]
        said = list(pool.map(lambda one: analyze(one[1], dictionary=dictionaries[one[0]]), work))
    for (which, text), analysis in zip(work, said, strict=True):
        assert analysis == analyze(text, dictionary=dictionaries[which])
        spoken = "".join(node.pron for node in analysis.nodes)
        assert all((kana in spoken) == (kana == readings[which]) for kana in readings if kana), spoken


@given(st.text("声便御徒町の朝。", max_size=20))
def test_no_other_word_decides_how_a_text_is_read(text: str) -> None:
    whole = Dictionary([NAME, TOWN])
    part = whole.within(text)
    assert part.within(text) == part
    assert analyze(text, dictionary=part) == analyze(text, dictionary=whole)


def keys(dictionary: Dictionary) -> list[str]:
    texts = ["声便の朝。", "駅は御徒町です。", "何もない日。"]
    script = Script([Passage(text, "mei") for text in texts], dictionary=dictionary)
    target = Target(PlannedSpeaker(model_revision="m1", sample_rate_hz=48000), "e1", ("Neutral",), 1.0)
    documents: list[ChunkDocument] = list(plan_chunks(script, {"mei": target}, Pauses()))
    return [planned.segment.key for document in documents for planned in document.segments]


def test_a_changed_word_changes_the_segments_that_hold_it() -> None:
    before = keys(Dictionary([NAME, TOWN]))
    after = keys(Dictionary([NAME, Entry("御徒町", "ゴトチョー", 0)]))
    assert [old == new for old, new in zip(before, after, strict=True)] == [True, False, True]
    assert keys(Dictionary([NAME, TOWN, FIRM])) == before
    assert keys(Dictionary())[2] == before[2]
