import json

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from koebin.engine.errors import InvalidInput, InvalidScript
from koebin.engine.options import SynthesisOptions
from koebin.engine.text.checks import check_text
from koebin.producers.commands.check import read_lines
from koebin.producers.formats.load import parse_script
from koebin.producers.formats.source import FORMATS, Source, source_from
from koebin.producers.formats.speaker_names import Voice
from koebin.producers.formats.written_readings import WrittenReading, parse_reading
from koebin.tasks.contracts import Pauses
from koebin.tasks.jobs.planning import sentences


def script(text, kind="text"):
    return parse_script(source_from(text.encode(), kind), Voice("mei"))


def read(text, kind="text"):
    """Text, what is read otherwise, and the pause after it, of every passage."""
    return [
        (each.text, [(each.text[r.start : r.end], r.kana, r.accent) for r in each.readings], each.ends, each.pause)
        for each in script(text, kind).passages
    ]


def test_every_line_is_a_paragraph_with_its_number():
    passages = script("　一行目。\n\n  二行目。二つの文。\n").passages
    assert [(p.text, p.line, p.ends, p.speaker) for p in passages] == [
        ("一行目。", 1, "paragraph", "mei"),
        ("二行目。二つの文。", 3, "paragraph", "mei"),
    ]


def test_a_pause_cuts_a_paragraph():
    for written in ("[pause:0.5s]", "[pause:500ms]", "[pause:0.5]", "[間:0.5秒]", "［間：０．５］", "[PAUSE: .5 s]"):
        assert read(f"前{written}後。") == [("前", [], "span", 0.5), ("後。", [], "paragraph", None)]


def test_pauses_in_a_row_add_up_and_may_end_a_paragraph():
    assert read("前。[pause:1][pause:0.5]\n後。") == [("前。", [], "paragraph", 1.5), ("後。", [], "paragraph", None)]
    assert read("前。\n[pause:2]\n後。") == [("前。", [], "paragraph", 2.0), ("後。", [], "paragraph", None)]


def test_spans_change_the_voice_and_nest():
    text = "あ[speaker:ken]い[speed:1.5]う[高さ:-2]え[/高さ][/speed]お[/speaker]か"
    found = [(p.text, p.speaker, p.options.speed, p.options.pitch) for p in script(text).passages]
    assert found == [
        ("あ", "mei", 1.0, 0.0),
        ("い", "ken", 1.0, 0.0),
        ("う", "ken", 1.5, 0.0),
        ("え", "ken", 1.5, -2.0),
        ("お", "ken", 1.0, 0.0),
        ("か", "mei", 1.0, 0.0),
    ]


def test_a_span_reaches_over_paragraphs():
    passages = script("[style:Happy]一。\n二。[/style]\n三。").passages
    assert [p.options.style for p in passages] == ["Happy", "Happy", ""]


def test_a_style_is_not_taken_to_another_speaker():
    passages = script("[style:Happy]あ[speaker:ken]い[/speaker][/style]").passages
    assert [(p.speaker, p.options.style) for p in passages] == [("mei", "Happy"), ("ken", "")]


@pytest.mark.parametrize(
    ("written", "spoken"),
    [
        ("カンジ", WrittenReading("カンジ")),
        ("ゼ・マン", WrittenReading("ゼマン")),
        ("ｶﾝｼﾞ", WrittenReading("カンジ")),
        ("いすゞ", WrittenReading("いすず")),
        ("", None),
        ("Kanji", None),
        ("かん字", None),
        ("は'し'", None),
        ("'はし", None),
        ("はし:3", None),
        ("は'し:1", None),
        ("ーか", None),
    ],
)
def test_what_a_reading_is(written, spoken):
    assert parse_reading(written) == spoken


def test_what_check_prints_of_a_sentence_is_its_reading_when_it_is_given_back():
    long = "長い文は読点で切れて、それでも一つです、" * 8
    text = f"今日はいい天気ですね。明日、東京都へ行きますか？\n{long}はい。"
    printed = [(line.text, line.kana) for line in read_lines(script(text))]
    assert len(printed) == 3
    assert printed[0] == ("今日はいい天気ですね。", "キョ'ーワ/イイ/テ'ンキデスネ。")
    marked = "\n".join(f"｜{sentence}《{kana}》" for sentence, kana in printed)
    spoken = "".join(f'<phoneme ph="{kana}">{sentence}</phoneme>' for sentence, kana in printed)
    assert [(line.text, line.kana) for line in read_lines(script(marked))] == printed
    assert [(line.text, line.kana) for line in read_lines(script(f"<speak>{spoken}</speak>", "ssml"))] == printed
    # Where they are said in other words, that is what is read.
    assert next(iter(read_lines(script("｜今日は《キョ'ー/ワ》。")))).kana == "キョ'ー/ワ"


@pytest.mark.parametrize("text", ["｜今日は《キョ'ー/ワ》いい。", "｜良い《イイ/ヨイ》｜天気《てんき》"])
def test_accent_phrases_belong_to_a_whole_sentence(text):
    with pytest.raises(InvalidScript, match=r"line 2: .*whole sentence"):
        list(sentences(script(f"はい。\n{text}").passages, Pauses()))


@pytest.mark.parametrize(
    "text",
    [
        "小説《白鯨》を読む",
        "ひらがな《ひらがな》",
        "商品｜価格",
        "[1] [注] [citation needed] [http://example.org] [12:30]",
        "配列 a[0] と [a, b]",
        "値 [x:1]",
        "《引用",
    ],
)
def test_what_is_no_markup_is_text(text):
    assert read(text)[0][:2] == (text, [])


@pytest.mark.parametrize(
    ("written", "said"),
    [(r"\[pause:1]", "[pause:1]"), (r"漢字\《かんじ》", "漢字《かんじ》"), (r"a\\b", r"a\b"), (r"a\b", r"a\b")],
)
def test_a_backslash_makes_markup_text(written, said):
    assert read(written)[0][:2] == (said, [])


def test_emphasis_is_said_without_its_marks():
    assert read("とても《《大切》》です")[0][:2] == ("とても大切です", [])


@pytest.mark.parametrize(
    ("text", "line", "column", "what"),
    [
        ("あ\n　[speed:fast]い[/speed]", 2, 2, "speed is not a number"),
        ("あ[speed:9]い[/speed]", 1, 2, "speed is out of range"),
        ("あ[speed:1.2]い", 1, 2, "a span is not closed"),
        ("あ[/speed]", 1, 2, "closes a span that is not open"),
        ("[speed:1.2]あ[pitch:1]い[/speed]", 1, 23, "closes a span that is not open"),
        ("あ[pasue:1]い", 1, 2, "unknown markup"),
        ("あ[/spede]い", 1, 2, "unknown markup"),
        ("あ" + "[speed:1.1]" * 17, 1, 2 + 16 * 11, "spans are nested too deeply"),
        ("あ[pause:long]い", 1, 2, "not a pause"),
        ("あ[pause:61]い", 1, 2, "the pause is too long"),
        ("あ[pause:40][pause:40]い", 1, 12, "the pause is too long"),
        ("あ[speaker:../x]い[/speaker]", 1, 2, "not a valid speaker name"),
        ("あ[style:]い[/style]", 1, 2, "style has no value"),
        ("あ\nい｜漢字《Kanji》", 2, 2, "not a reading"),
        ("あ｜漢字《かんじ", 1, 2, "a reading is not closed"),
        ("……\n！", 0, 0, "there is nothing to speak"),
    ],
)
def test_mistakes_have_a_place(text, line, column, what):
    with pytest.raises(InvalidInput) as caught:
        parse_script(Source(text, "text"), Voice("mei"))
    assert (caught.value.what, caught.value.line, caught.value.column) == (what, line, column)


def test_what_has_nothing_to_speak_joins_its_neighbour():
    assert [p.text for p in script("＊\n始め。\n＊　＊\n終わり。\n……").passages] == [
        "＊\n始め。\n＊　＊",
        "終わり。\n……",
    ]
    assert [p.text for p in script("あ[speed:2]……[/speed]い").passages] == ["あ……", "い"]


def test_options_of_the_narrator_hold_everywhere():
    narrator = Voice("mei", SynthesisOptions(style="Sad", speed=0.9))
    passages = parse_script(Source("あ[pitch:1]い[/pitch]", "text"), narrator).passages
    assert [(p.options.style, p.options.speed, p.options.pitch) for p in passages] == [
        ("Sad", 0.9, 0.0),
        ("Sad", 0.9, 1.0),
    ]


def squeezed(text):
    return "".join(text.split())


def can_be_spoken(text):
    try:
        return bool(check_text(text))
    except InvalidInput:
        return False


# Neither our markup nor that of any format; letters and marks of every script are left.
NO_MARKUP = st.characters(
    exclude_characters="\\[]［］｜|《》〔〕／＼※#:：+<>&",
    exclude_categories=["Cc", "Cs", "Cn", "Lm", "Mn"],
    include_characters="\n、。「」…＊ 　",
)


@settings(deadline=None, max_examples=100)
@given(
    st.text(st.sampled_from("漢字々かなカナー、。「」！？…＊・ 　\n") | NO_MARKUP, max_size=200),
    st.sampled_from(["text", "aozora", "dialogue", "ssml", "jsonl"]),
)
def test_nothing_vanishes_and_nothing_is_said_twice(text, kind):
    text += "\n終"
    assume(can_be_spoken(text))
    document = {"ssml": f"<speak>{text}</speak>", "jsonl": json.dumps({"text": text})}.get(kind, text)
    passages = parse_script(Source(document, kind), Voice("mei")).passages
    assert squeezed("".join(passage.text for passage in passages)) == squeezed(text)


MARKUP = (
    "[pause: 0.5s] [speed: 1.2] [/speed] [speaker:ken] [/speaker] [ ] ［ ］ ｜ | 《 》 《《 》》 ' :0 \\",
    "漢字 かんじ 。 あ ……",
    "＃ ※ 底本： 「一」は中見出し 改ページ 第3水準1-88-85 ／＼ ／″＼ 〔e'〕 -----------",
    "- # > ` ``` * _ <ruby> <rt> </rt> </ruby> <!-- --> &amp; < > |- [a]: b --- 1. ====",
    "+++ mei: ケン： メイ( ) title= [speakers] 12:30",
    '{"text": "あ" "id":1 , } 1e999 { null',
    "<speak> </speak> <p> </p> <break/> <sub/> <phoneme> <!DOCTYPE &nbsp; <![CDATA[ ]]>",
)
PIECES = st.lists(
    st.sampled_from([*" ".join(MARKUP).split(" "), "\n", " ", "　", "<sub alias='あ'>", "9" * 400]), max_size=25
).map("".join)


@settings(deadline=None, max_examples=250)
@given(PIECES, st.sampled_from([kind for kind in FORMATS if kind != "epub"]))
def test_any_input_gives_a_script_or_an_error_of_ours(text, kind):
    try:
        found = parse_script(source_from(text.encode(), kind), Voice("mei"))
    except InvalidInput as error:
        str(error).encode()
        return
    assert found.passages
    for passage in found.passages:
        check_text(passage.text)
        assert 0 <= passage.chapter < len(found.chapters)
        last = 0
        for reading in passage.readings:
            assert last <= reading.start < reading.end <= len(passage.text)
            last = reading.end


@settings(deadline=None, max_examples=100)
@given(st.binary(max_size=300), st.sampled_from([None, *(kind for kind in FORMATS if kind != "epub")]))
def test_any_bytes_give_a_script_or_an_error_of_ours(data, kind):
    try:
        parse_script(source_from(data, kind, explicit=kind is not None), Voice("mei"))
    except InvalidInput as error:
        str(error).encode()
