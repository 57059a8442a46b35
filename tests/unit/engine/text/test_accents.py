"""Accents from words are those of the labels that Open JTalk makes of the same words."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.texts import EXAMPLES
from koebin.engine.text.accents import mora_tones
from koebin.engine.text.analysis import Analysis
from koebin.engine.text.frontend import analyze
from koebin.engine.text.labels import accent_phrases, phone_tones
from koebin.engine.text.moras import PHONES, moras_of
from koebin.engine.text.openjtalk import make_label, plain_feature
from koebin.engine.text.prosody import phonemes
from koebin.engine.text.sentences import split_sentences

GOLDEN = Path(__file__).parents[3] / "golden" / "text.jsonl"
TRIGGERS = [
    "水の面に月が映る。恥ずかしくて面を上げることができない。",
    "切れ味が鈍ってきた。痛みに堪えて歩く。",
    "修道尼と先生方が田舎寺で斧の柄を直す。",
    "名前は六三四です。二十を過ぎて大人になる。二十前に、九つ、十。",
    "海で船が覆って、多くの人が出た。崖の際に立つ。",
    "この社は神社の鳥居のそばにある。古い機で麻布を染める。",
    "何にも知らない。何で来たの。何を言う。",
    "盲・聾学校と、月〜金、金型、元結を結う髷。",
    "より良い町・村・市。より良い法の下の支配。",
    "上三桁、下二桁、茶屋、喜んで候、よかろう処。",
    "ヴァイオリンとスィートルームとテュービンゲン、イェール、グゥ。",
    "犍陀多と辻󠄀さんと髙橋さんが、時々刻々、こゝろ、ますゝ、代々々。",
    "武蔵の国の飛騨国は寒い。えーっとその人、あのー。",
    "風が強い風の人が出て来て、表の家の金を入れる。空の色と体の生。",
    "歩こう。ですう。ますう。んー。ッ。ーああ。",
    "博士課程と東高洲橋と高架橋、三丁目橋。",
    "昔、彡の字と犍陀多が、いた。",
    "アッと言うじゅう髪結い五月期の…",
    "棚2五月期もハたバシて…",
    "",
    "、、、",
]


def texts() -> Iterator[str]:
    for file in ("kumo_no_ito.txt", "yume_juya_1.txt"):
        yield from (sentence.text for sentence in split_sentences((EXAMPLES / file).read_text("utf-8")))
    yield from (json.loads(line)["text"] for line in GOLDEN.read_text("utf-8").splitlines())
    yield from TRIGGERS
    for word in (
        "水の面",
        "一声",
        "一行",
        "一見",
        "五月",
        "入っ",
        "十勝",
        "博士",
        "天地",
        "好き",
        "小屋",
        "強い",
        "放っ",
        "明日",
        "汚れ",
        "良い",
        "花弁",
        "茶屋",
        "覆っ",
        "角形",
        "部屋",
        "麻布",
        "黒白",
        "鈍る",
        "堪える",
        "上",
        "下",
        "中",
        "人",
        "本",
        "縁",
        "金",
        "音",
    ):
        yield f"その{word}の{word}を見て、先生{word}に十{word}言う。"


def from_labels(analysis: Analysis) -> Analysis:
    return replace(analysis, nodes=tuple(node._replace(accent=None) for node in analysis.nodes))


def test_words_have_the_tones_of_their_labels() -> None:
    without_labels = 0
    for text in texts():
        analysis = analyze(text)
        spoken = phonemes(analysis)
        without_labels += "labels" not in vars(analysis)
        assert spoken == phonemes(from_labels(analysis)), text
    assert without_labels > 290


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
