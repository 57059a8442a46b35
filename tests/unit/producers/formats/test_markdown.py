import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from koebin.engine.errors import InvalidScript
from koebin.producers.formats.load import parse_script
from koebin.producers.formats.source import Source
from koebin.producers.formats.speaker_names import Voice


def markdown(text):
    return parse_script(Source(text, "markdown"), Voice("mei"))


def said(text):
    return [(passage.line, passage.text) for passage in markdown(text).passages]


def test_headings_of_the_two_highest_levels_are_chapters():
    script = markdown("# 本\n\n序。\n\n## 一章\n\n本文。\n\n### 節\n\n本文。\n\n#### 項\n\n本文。\n")
    assert script.title == "本"
    assert [chapter.title for chapter in script.chapters] == ["本", "一章", "節"]
    assert [(p.text, p.chapter, p.ends) for p in script.passages] == [
        ("本", 0, "paragraph"),
        ("序。", 0, "chapter"),
        ("一章", 1, "paragraph"),
        ("本文。", 1, "chapter"),
        ("節", 2, "paragraph"),
        ("本文。", 2, "paragraph"),
        ("項", 2, "paragraph"),
        ("本文。", 2, "paragraph"),
    ]


def test_several_headings_of_level_1_are_chapters_and_no_title():
    script = markdown("# 一\n\nあ。\n\n# 二\n\nい。")
    assert (script.title, [chapter.title for chapter in script.chapters]) == ("", ["一", "二"])


def test_text_before_the_first_heading_is_a_chapter_without_a_title():
    script = markdown("前書き。\n\n# 一\n\nあ。")
    assert [chapter.title for chapter in script.chapters] == ["", "一"]


def test_footnotes_are_read_where_they_stand_and_their_marks_are_not():
    text = "本文[^1]と[^注]と`[^a]`です。\n\n[^1]: 一つ目の注。\n    その続き。\n[^注]: 二つ目。\n\n[link]: http://x.example\n"
    assert said(text) == [(1, "本文とと[^a]です。"), (3, "一つ目の注。その続き。"), (5, "二つ目。")]


def test_everything_is_read_with_its_line():
    text = """\
**太字**と*斜体*と`code`と[リンク](http://x.example)。
続きの行。

- 一つ
- 二つ
  1. 三つ

> 引用。

```python
print(1)
x
```

    字下げ

| 甲 | 乙 |
|---|---|
| 丙 |   |

![絵の説明](a.png)
終わり\\
改行&amp;実体

---
<div>地の文<br>と<!-- 見えない --></div>
"""
    assert said(text) == [
        (1, "太字と斜体とcodeとリンク。続きの行。"),
        (4, "一つ"),
        (5, "二つ"),
        (6, "三つ"),
        (8, "引用。"),
        (11, "print(1)\nx"),
        (15, "字下げ"),
        (17, "甲、乙"),
        (19, "丙"),
        (21, "絵の説明終わり\n改行&実体"),
        (26, "地の文\nと"),
    ]


def test_lines_are_joined_as_their_language_joins_them():
    assert said("これは\n一つの文です。\nThis is\none too.") == [(1, "これは一つの文です。 This is one too.")]


@pytest.mark.parametrize(
    "ruby",
    [
        "<ruby>漢字<rt>かんじ</rt></ruby>",
        "<ruby>漢字<rp>（</rp><rt>かんじ</rt><rp>）</rp></ruby>",
        "<ruby><rb>漢字</rb><rt>かんじ</rt></ruby>",
        "漢字《かんじ》",
        "｜漢字《かんじ》",
    ],
)
def test_ruby(ruby):
    for text in (f"この{ruby}です", f"<p>\nこの{ruby}です\n</p>"):
        passage = markdown(text).passages[0]
        assert passage.text == "この漢字です"
        assert [(passage.text[r.start : r.end], r.kana) for r in passage.readings] == [("漢字", "かんじ")]


def test_markup_and_mistakes_in_it():
    passages = markdown("あ[間:1秒]**い[speed:1.2]う**え[/speed]").passages
    assert [(p.text, p.pause, p.options.speed) for p in passages] == [
        ("あ", 1.0, 1.0),
        ("い", None, 1.0),
        ("うえ", None, 1.2),
    ]
    with pytest.raises(InvalidScript) as caught:
        markdown("# 題\n\n**太い**文\nそして[speed:x]い[/speed]")
    assert (caught.value.line, caught.value.column) == (4, 4)


def test_properties_of_other_tools():
    script = markdown("---\ntitle: '本の題'\nauthor: 誰か\ntags: [a]\n---\n\n# 見出し\n\n本文。")
    assert (script.title, script.author) == ("本の題", "誰か")
    assert [(p.line, p.text) for p in script.passages] == [(7, "見出し"), (9, "本文。")]
    assert said("---\n本文。") == [(2, "本文。")]


def test_front_matter_gives_speakers():
    script = markdown('+++\ntitle = "題"\nnarrator = "ken"\n[speakers]\n"メイ" = "mei"\n+++\n[話者:メイ]あ[/話者]い')
    assert script.title == "題"
    assert [(p.speaker, p.line) for p in script.passages] == [("mei", 7), ("ken", 7)]


def test_what_the_parser_would_leave_out_is_refused():
    assert said("> " * 40 + "深い")[0][1] == "深い"
    with pytest.raises(InvalidScript, match="nested too deeply"):
        markdown("> " * 80 + "深い")
    with pytest.raises(InvalidScript, match="nested too deeply"):
        markdown("\n".join("  " * level + "- あ" for level in range(70)))


def test_a_paragraph_has_a_limit():
    assert len(said(("長い行です。" * 100 + "\n\n") * 200)) == 200
    with pytest.raises(InvalidScript, match="line 3, column 1: a paragraph has more than 100000 characters"):
        markdown("始め。\n\n" + ("長い行です。" * 100 + "\n") * 200)


WORDS = st.text(st.sampled_from("あいう漢字カナabc 123。、「」"), min_size=1, max_size=12).filter(str.strip)
FRAMES = st.sampled_from(
    ["{}", "# {}", "- {}", "> {}", "1. {}", "**{}**", "*{}*", "`{}`", "[{}](x)", "> - {}", "## {}\n{}", "| {} |"]
)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(FRAMES, WORDS, st.sampled_from(["\n", "\n\n", "\n\n\n"])), min_size=1, max_size=8))
def test_no_word_vanishes(parts):
    written = "".join(frame.format(*[word.strip()] * frame.count("{}")) + gap for frame, word, gap in parts) + "\n\n終"
    spoken = "".join(passage.text for passage in markdown(written).passages)
    for letter in "あいう漢字カナabc":
        assert spoken.count(letter) == written.count(letter)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("**「強調」**と*『斜体』*と__『太』__と***「両」***です", "「強調」と『斜体』と『太』と「両」です"),
        ("彼は**（静かに）**言った。", "彼は（静かに）言った。"),
        ("**値段：100円**です", "値段：100円です"),
        ("~~消し~~た", "消した"),
        ("`**`は印、\\*これも\\*", "**は印、*これも*"),
        ("3 * 4と5 * 6、snake_case_名、写真_2026_01", "3 * 4と5 * 6、snake_case_名、写真_2026_01"),
        (
            "雨<span hidden>の</span>が<b style='color:red;display:none'>激しく</b>降る<img hidden src=a>。",
            "雨が降る。",
        ),
    ],
)
def test_marks_beside_japanese(written, expected):
    assert [text for _, text in said(written)] == [expected]


def test_tasks_boxes_and_hidden_blocks():
    work = (
        "- [ ] 傘\n- [x] 靴\n- [本]の話\n\n:::note 注意\n雨\n:::\n\n<p style='display: none'>隠れた</p>\n<p>見える</p>"
    )
    assert [text for _, text in said(work)] == ["傘", "靴", "[本]の話", "注意雨", "見える"]
