"""Accents from words are those of the labels that Open JTalk makes of the same words."""

from dataclasses import replace

import pytest

from koebin.engine.text.accents import mora_tones
from koebin.engine.text.analysis import Analysis
from koebin.engine.text.frontend import analyze
from koebin.engine.text.labels import accent_phrases, phone_tones
from koebin.engine.text.moras import PHONES, moras_of
from koebin.engine.text.openjtalk import make_label, plain_feature
from koebin.engine.text.prosody import phonemes
from tests.unit.engine.text.test_corrections import texts


def from_labels(analysis: Analysis) -> Analysis:
    return replace(analysis, nodes=tuple(node._replace(accent=None) for node in analysis.nodes))


def test_words_have_the_tones_of_their_labels() -> None:
    without_labels = 0
    for text in texts():
        analysis = analyze(text)
        spoken = phonemes(analysis)
        without_labels += "labels" not in vars(analysis)
        assert spoken == phonemes(from_labels(analysis)), text
    assert without_labels > 350


@pytest.mark.parametrize(
    "text",
    [
        "四,五日は,十五、六人と。",  # no pause in numbers
        "木、材の目、薬。気、が、する。",
        "ヵッターとクァルテットとデェトとフュージョン。",
        "ーーーは、ー。あー、ーと。",
        "とうきょうとっきょきょかきょくちょう" * 4,
        "アイウエオ" * 30,
    ],
)
def test_what_words_do_not_tell_is_read_from_labels(text: str) -> None:
    analysis = analyze(text)
    assert phonemes(analysis) == phonemes(from_labels(analysis))


@pytest.mark.parametrize("kana", [*PHONES, *(kana + "ー" for kana in PHONES)])
def test_open_jtalk_says_and_counts_morae_alike_or_labels_are_asked(kana: str) -> None:
    """In its own words: after a word of one mora and before another."""
    labels = make_label([plain_feature("あ", "ア", "名詞"), plain_feature(kana, f"{kana}カ", "名詞")])
    phones = [phone for mora in moras_of(f"{kana}カ") for phone in mora.phones]
    counts = [len(phrase) for group in accent_phrases(labels) for phrase in group]
    alike = [phone for phone, _ in phone_tones(labels)] == ["a", *phones] and counts == [1, len(moras_of(kana)) + 1]
    node = analyze("あ").nodes[0]._replace(pron=kana)
    assert alike or mora_tones([node], [len(moras_of(kana))]) is None
