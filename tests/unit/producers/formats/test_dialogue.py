from pathlib import Path

import pytest

from koebin.engine.errors import InvalidInput, InvalidScript
from koebin.producers.formats.load import load_script, parse_script
from koebin.producers.formats.source import Source
from koebin.producers.formats.speaker_names import Voice

HEAD = """\
+++
title = "朝"
author = "声便"
narrator = { speaker = "mei", speed = 0.9 }
[speakers]
"メイ" = "mei"
"ケン" = { speaker = "ken", style = "Happy", speed = 1.1 }
Third = "jvnv-F1-jp"
[output]
formats = ["mp3"]
+++
"""


def dialogue(text):
    return parse_script(Source(text, "dialogue"), Voice("mei"))


def test_three_speakers_and_a_narrator():
    text = "# 第一場\nメイ：おはよう。\nケン: やあ。\n\n　朝の七時でした。\nThird : Hello.\n"
    script = dialogue(HEAD + text + "ケン（Sad）：[間:0.5]行くよ。\n# 第二場\n終わり。")
    assert (script.title, script.author, script.output) == ("朝", "声便", {"formats": ["mp3"]})
    assert [chapter.title for chapter in script.chapters] == ["第一場", "第二場"]
    assert [(p.line, p.speaker, p.options.style, p.options.speed, p.text) for p in script.passages] == [
        (12, "mei", "", 0.9, "第一場"),
        (13, "mei", "", 0.9, "おはよう。"),
        (14, "ken", "Happy", 1.1, "やあ。"),
        (16, "mei", "", 0.9, "朝の七時でした。"),
        (17, "jvnv-F1-jp", "", 0.9, "Hello."),
        (18, "ken", "Sad", 1.1, "行くよ。"),
        (19, "mei", "", 0.9, "第二場"),
        (20, "mei", "", 0.9, "終わり。"),
    ]
    assert [p.name for p in script.passages] == ["", "メイ", "ケン", "", "Third", "ケン", "", ""]


def test_what_is_no_name_is_narration():
    text = "12:30に着いた。\nhttps://example.org を見た。\n\\注意：ここは地の文。\n「彼は言った：はい」と。"
    assert [p.text for p in dialogue(HEAD + text).passages] == [
        "12:30に着いた。",
        "https://example.org を見た。",
        "注意：ここは地の文。",
        "「彼は言った：はい」と。",
    ]


def test_without_front_matter_names_are_speakers():
    assert [(p.speaker, p.text) for p in dialogue("mei: あ。\nken：い。\nう。").passages] == [
        ("mei", "あ。"),
        ("ken", "い。"),
        ("mei", "う。"),
    ]


@pytest.mark.parametrize(
    ("text", "line", "column", "what"),
    [
        (HEAD + "メイ：あ。\nケソ：い。", 13, 1, "nobody has this name"),
        (HEAD + "mai: あ。", 12, 1, "nobody has this name"),
        ("  ケン：い。", 1, 3, "not a valid speaker name"),
        (HEAD + "メイ：", 12, 4, "a line without text"),
        (HEAD + "メイ：あ[speed:9]い[/speed]", 12, 5, "speed is out of range"),
        (HEAD + "[話者:誰]あ[/話者]", 12, 1, "nobody has this name"),
        ("+++\ntitle = 1\n", 1, 1, "the front matter is not closed"),
        ("+++\ntitle = x\n+++\nあ", 2, 9, "the front matter is not TOML (Invalid value)"),
        ("+++\nメイ = 'mei'\n+++\nあ", 2, 1, "the front matter is not TOML (Invalid statement)"),
        ("+++\ntitel = 'x'\n+++\nあ", 2, 0, "the front matter has no such field"),
        ("+++\ntitle = 12\n+++\nあ", 2, 0, "title is not a line of text"),
        ("+++\n[speakers]\na = 1\n+++\nあ", 3, 0, "speaker a names no speaker"),
        ("+++\n[speakers]\na = '../x'\n+++\nあ", 3, 0, "speaker a: not a valid speaker name"),
        ("+++\n[speakers]\na = {speaker='ken', sped=1}\n+++\nあ", 3, 0, "there is no such option"),
        ("+++\n[speakers]\na = {speaker='ken', speed=9}\n+++\nあ", 3, 0, "speaker a: speed is out of range"),
        ("+++\n[speakers]\n'a b' = 'ken'\n+++\nあ", 3, 0, "not a name for a speaker"),
        ("+++\nspeakers = 1\n+++\nあ", 2, 0, "speakers is not a table"),
        ("+++\ndictionary = 1\n+++\nあ", 2, 0, "dictionary is not a list of files"),
        ("+++\ndictionary = '/etc/x.toml'\n+++\nあ", 2, 0, "a dictionary lies outside the script's folder"),
        ("+++\ndictionary = ['a/../../x.toml']\n+++\nあ", 2, 0, "a dictionary lies outside the script's folder"),
        (
            "+++\n[output]\nformats = ['mp5']\n+++\nあ",
            3,
            0,
            "output: formats.0: Input should be 'wav', 'flac', 'mp3', 'opus', 'm4a' or 'm4b'",
        ),
        ("+++\nx = " + "[" * 5000 + "\n+++\nあ", 1, 0, "the front matter is nested too deeply"),
    ],
)
def test_mistakes_have_a_place(text, line, column, what):
    with pytest.raises(InvalidScript) as caught:
        dialogue(text)
    assert (caught.value.what, caught.value.line, caught.value.column) == (what, line, column)


def test_dictionaries_lie_beside_the_script(tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub/a.toml").write_text('[words]\n"声便" = "コエビン"\n"市" = "シ"\n')
    (tmp_path / "b.csv").write_text("声便,コエダヨリ,3\n")
    path = tmp_path / "talk.dialogue"
    path.write_text('+++\ndictionary = ["sub/a.toml", "b.csv"]\n+++\n声便です。')
    words = load_script(path, Voice("mei")).dictionary.entries
    assert [(word.surface, word.reading, word.accent) for word in words] == [("声便", "コエダヨリ", 3), ("市", "シ", 0)]
    (tmp_path / "c.toml").write_text('[words]\n"市" = "イチ"\n')
    words = load_script(path, Voice("mei"), dictionaries=[tmp_path / "c.toml"]).dictionary.entries
    assert [word.reading for word in words] == ["コエダヨリ", "イチ"]
    (tmp_path / "b.csv").unlink()
    with pytest.raises(InvalidInput, match="the dictionary cannot be read"):
        load_script(path, Voice("mei"))


def test_the_example():
    script = load_script(Path(__file__).parents[4] / "examples/dialogue.dialogue", Voice("mei"))
    assert {passage.speaker for passage in script.passages} == {"mei", "ken"}
    assert script.dictionary.revision


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("メイ、ケン「はい。」", "several names"),
        ("メイとケン『はい。』", "several names"),
        ("メイ／ケン：はい。", "several names|nobody has this name"),
        ("【メイ】はい。", "not a line that somebody says"),
        ("［ケン］ はい。", "not a line that somebody says"),
        ("<メイ&ケン> はい。", "several names"),
    ],
)
def test_declared_names_that_say_a_line_in_another_way_are_refused(line, what):
    with pytest.raises(InvalidScript, match=what) as caught:
        dialogue(HEAD + "地の文。\n" + line)
    assert caught.value.line == 13
    assert [p.text for p in dialogue(HEAD + "地の文。\n\\" + line).passages][1].count("はい。") == 1


def test_brackets_around_other_words_are_narration():
    text = "【注】これは注です。\n母と父「はい」\nメイ「はい」と言った。\n「はい。」"
    assert [p.text for p in dialogue(HEAD + text).passages] == text.split("\n")
