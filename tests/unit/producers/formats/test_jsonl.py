import json

import pytest

from koebin.engine.errors import InvalidScript
from koebin.producers.formats.load import parse_script
from koebin.producers.formats.source import Source, source_from
from koebin.producers.formats.speaker_names import Voice


def jsonl(*rows):
    lines = [row if isinstance(row, str) else json.dumps(row, ensure_ascii=False) for row in rows]
    return parse_script(Source("\n".join(lines), "jsonl"), Voice("mei"))


def test_every_line_is_an_item():
    script = jsonl(
        {"id": "a", "text": "こんにちは。", "speaker": "ken", "style": "Happy", "speed": 1.2, "seed": 7},
        {"custom_id": "b-1", "text": "一行目。\n二行目。"},
        "",
        {"text": "名前なし。"},
        {"id": 12, "text": "数の名前。"},
    )
    assert script.items
    assert [(p.item, p.line, p.text, p.speaker) for p in script.passages] == [
        ("a", 1, "こんにちは。", "ken"),
        ("b-1", 2, "一行目。", "mei"),
        ("b-1", 2, "二行目。", "mei"),
        ("line-000004", 4, "名前なし。", "mei"),
        ("12", 5, "数の名前。", "mei"),
    ]
    options = script.passages[0].options
    assert (options.style, options.speed, options.seed) == ("Happy", 1.2, 7)
    assert script.errors == ()


def test_markup_stays_within_its_item():
    script = jsonl({"id": "a", "text": "あ[間:0.5]｜橋《はし'》[間:1]"}, {"id": "b", "text": "い"})
    assert [(p.item, p.text, p.pause) for p in script.passages] == [
        ("a", "あ", 0.5),
        ("a", "橋", 1.0),
        ("b", "い", None),
    ]


BROKEN = {
    '{"id": "x", "text": "あ"': "column 24: not JSON",
    "[1]": "column 1: not an object",
    '"text"': "column 1: not an object",
    '{"id": "x"}': "there is no text",
    '{"id": "x", "text": 3}': "text is not a string",
    '{"id": "x", "text": "  "}': "the text is empty",
    '{"id": "x", "text": "……"}': "the text has nothing to speak",
    '{"id": "x", "text": "\\ud800あ"}': "half of a surrogate pair",
    '{"id": "x", "text": "あ", "sped": 1}': "column 26: unknown field: 'sped'. Use speed",
    '{"id": "x", "text": "あ", "speed": 0}': "speed is out of range",
    '{"id": "x", "text": "あ", "speed": NaN}': "speed is not a finite number",
    '{"id": "x", "text": "あ", "speed": "1"}': "speed is not a finite number",
    '{"id": "x", "text": "あ", "style": 1}': "style is not a text",
    '{"id": "x", "text": "あ", "seed": ' + "9" * 400 + "}": "seed is out of range",
    '{"id": "x", "text": "あ", "seed": ' + "9" * 5000 + "}": "not JSON that can be read",
    '{"id": "x", "text": "あ", "speaker": "../a"}': "not a valid speaker name",
    '{"id": "x", "text": "あ", "speaker": 1}': "speaker is not a string",
    '{"id": "../x", "text": "あ"}': "an id that cannot name a file",
    '{"id": ".x", "text": "あ"}': "an id that cannot name a file",
    '{"id": "x", "text": "あ[speed:2]"}': "column 23: a span is not closed",
    '{"id": "good", "text": "あ"}': "the id stands in line 1 already",
    "[" * 100_000: "not JSON that can be read",
}


@pytest.mark.parametrize("broken", BROKEN)
def test_a_bad_line_is_told_and_spoils_no_other(broken):
    script = jsonl({"id": "good", "text": "一。"}, broken, {"id": "last", "text": "二。"})
    assert [passage.item for passage in script.passages] == ["good", "last"]
    (error,) = script.errors
    assert error.line == 2
    assert error.message.startswith(BROKEN[broken])


def test_a_thousand_lines_of_which_ten_are_broken():
    rows = [{"id": f"n{n}", "text": f"{n}番。"} if n % 100 else "{broken" for n in range(1000)]
    script = jsonl(*rows)
    assert len({passage.item for passage in script.passages}) == 990
    assert [error.line for error in script.errors] == [n + 1 for n in range(0, 1000, 100)]


def test_if_no_line_can_be_spoken_nothing_is():
    with pytest.raises(InvalidScript, match="none of the lines can be spoken; the first: column 2: not JSON"):
        jsonl("{", "[")


def test_a_byte_that_is_not_utf8_is_the_error_of_its_line():
    data = b'{"text": "\xff"}\n' + '{"text": "はい。"}\n'.encode() + b'{"te\xfext": "x"}\n'
    script = parse_script(source_from(data, "jsonl"), Voice("mei"))
    assert [passage.text for passage in script.passages] == ["はい。"]
    assert [(error.line, "not UTF-8: 'byte 0xf" in error.message) for error in script.errors] == [(1, True), (3, True)]


def test_a_list_in_another_encoding_is_refused_with_what_to_do():
    data = '{"text": "これは本文です。"}\n'.encode("cp932")
    with pytest.raises(InvalidScript, match="iconv -f CP932"):
        source_from(data, "jsonl")
