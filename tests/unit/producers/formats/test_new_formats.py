"""HTML, subtitles, tables, JSON arrays, FB2, DOCX and PDF, made by hand."""

import base64
import zipfile

import pytest

from koebin.engine.errors import InvalidInput, InvalidScript
from koebin.producers.formats.load import load_script, parse_script
from koebin.producers.formats.pdf_layout import Character, Line, paragraphs_of
from koebin.producers.formats.source import source_from
from koebin.producers.formats.speaker_names import Voice
from tests.unit.producers.formats.books import PNG
from tests.unit.producers.formats.pdfs import pdf


def read(data, kind=None):
    data = data.encode() if isinstance(data, str) else data
    return parse_script(source_from(data, kind, explicit=False), Voice("mei"))


def said(script):
    return [passage.text for passage in script.passages]


def readings(script):
    return [(p.text[r.start : r.end], r.kana) for p in script.passages for r in p.readings]


PAGE = """<!DOCTYPE html><html><head><title>記事 - 声便新聞</title><meta name=author content=某>
<style>p{}</style></head><body><header>声便新聞</header><nav><a href=/>ホーム</a></nav>
<article><h1>雨の日</h1><p>今日は<ruby>雨<rt>あめ</ruby>だ。<p>傘を<b>持</b>って
出かける。<ul><li>一つ<li>二つ</ul><h2>夕方</h2><p>R&D &amp; &eacute;。</p><script>x()</script>
<aside>関連記事</aside></article><footer>著作権</footer></body></html>"""


def test_what_a_page_hides_is_silent():
    sheet = (
        "<style>.sr, #menu{display:none} p.fold{visibility:hidden}</style><style media=print>p{display:none}</style>"
    )
    hidden = "<p class=sr>一<p id=menu>二<p class=fold>三<div aria-hidden=true><p>四</div><p hidden>五"
    for page in (f"<html><head>{sheet}</head><body>{hidden}<p>雨。", f"<html><body>{sheet}{hidden}<p>雨。"):
        assert said(read(page)) == ["雨。"]
    article = f"<html><head>{sheet}</head><body><article>{hidden}<p>雨<span class=sr>六</span>だ。</article>"
    assert said(read(article)) == ["雨だ。"]


def test_the_article_of_a_page():
    script = read(PAGE)
    assert said(script) == ["雨の日", "今日は雨だ。", "傘を持って出かける。", "一つ", "二つ", "夕方", "R&D & é。"]
    assert readings(script) == [("雨", "あめ")]
    assert [chapter.title for chapter in script.chapters] == ["雨の日", "夕方"]
    assert script.author == "某"


@pytest.mark.parametrize("tag", ["div", "rt", "SECTION", "ul class=x"])
def test_containers_that_are_never_closed_are_refused_before_a_tree_is_made(tag: str) -> None:
    """Sixteen thousand took half a second, and each further one longer than the one before."""
    with pytest.raises(InvalidScript, match="nested too deeply"):
        read("<html><body>" + f"<{tag}>" * 20_000)


def test_what_browsers_close_themselves_is_not_nested() -> None:
    page = "<html><body>" + "<p><ruby>漢<rt>かん</ruby>が<li>来る。" * 2_000
    assert len(read(page).passages) >= 2_000


def test_a_page_on_one_line_is_read():
    page = "<html><body>" + "<p>雨が降る。</p>" * 20_000 + "</body></html>"
    assert len(read(page).passages) == 20_000


def test_a_page_in_the_encoding_that_it_names():
    page = "<html><head><meta charset=Shift_JIS></head><body><p>①番の㈱声便。</p></body></html>"
    assert said(read(page.encode("cp932"))) == ["①番の㈱声便。"]
    assert said(read("<html><body><p>これは声便です。</p></body></html>".encode("euc_jp"), "html")) == [
        "これは声便です。"
    ]


SUBTITLES = """WEBVTT - 題

NOTE 作業の記録
二行目

STYLE
::cue { color: red }

c1
00:01.000 --> 00:04.000 align:start
<v メイ>おはよう、<ruby>皆<rt>みな</rt></ruby>さん。</v>

00:05.000 --> 00:06.000
3 &lt; 5 の<i>話</i>を
します。

00:05.500 --> 00:07.000
重なります。

00:xx --> 00:09.000
時刻が読めない。
"""


def test_webvtt():
    script = read(SUBTITLES)
    assert said(script) == ["おはよう、皆さん。", "3 < 5 の話をします。", "重なります。"]
    assert readings(script) == [("皆", "みな")]
    assert [(p.start, p.end, p.name) for p in script.passages] == [
        (1.0, 4.0, "メイ"),
        (5.0, 6.0, ""),
        (5.5, 7.0, ""),
    ]
    assert [(left.line, left.text) for left in script.left_out] == [(20, "00:xx --> 00:09.000")]
    assert "0.50 s before" in script.warnings[0].message


@pytest.mark.parametrize(
    ("cue", "expected"),
    [
        ("太<br>字<BR/>だ", "太字だ"),
        ("はい\\Nいいえ", "はいいいえ"),
        ("- はい。\n- いいえ。", "はい。いいえ。"),
        ("- はい。", "- はい。"),
        ("C:\\new の話", "C:\\new の話"),
        ("<font color='#f00'>赤</font>{\\i1}い{\\i0}", "赤い"),
    ],
)
def test_what_players_show_of_a_cue(cue, expected):
    assert said(read(f"1\n0:00:1,0 --> 0:00:2,5\n{cue}\n", "srt")) == [expected]


def test_an_empty_line_within_a_cue_of_srt_loses_nothing():
    cues = "1\n00:00:01,000 --> 00:00:02,000\n一。\n\n二。\n\n三。\n\n"
    cues += "2\n00:00:03,000 --> 00:00:04,000\n次。\n\n3\n迷子。\n"
    script = read(cues, "srt")
    assert said(script) == ["一。二。三。", "次。"]
    assert [(left.line, left.text) for left in script.left_out] == [(14, "迷子。")]
    script = read("WEBVTT\n\n" + cues, "vtt")
    assert said(script) == ["一。", "次。"]
    assert [left.text for left in script.left_out] == ["二。", "三。", "迷子。"]


def test_srt_with_an_empty_line_between_any_two():
    cues = "1\n\n00:00:01,000 --> 00:00:02,000\n\nはい。\n\n続き。\n\n2\n\n00:00:03,000 --> 00:00:04,000\n\nいいえ。\n"
    script = read(cues, "srt")
    assert [(passage.line, passage.start, passage.text) for passage in script.passages] == [
        (4, 1.0, "はい。続き。"),
        (12, 3.0, "いいえ。"),
    ]
    assert not script.left_out


def test_srt_keeps_what_only_looks_like_a_tag_and_speaks_fast_where_time_is_short():
    text = (
        "1\r\n00:00:01,000 --> 00:00:02,000\r\nVec<String> を{\\an8}<b>使う</b>長い長い説明です。\r\n\r\n"
        "2\r\n00:00:02,000 --> 00:00:09,000\r\n短い。\r\n"
    )
    script = read(text, "text")
    assert said(script) == ["Vec<String> を使う長い長い説明です。", "短い。"]
    assert script.passages[0].options.speed > 1.2
    assert script.passages[1].options.speed == 1.0


@pytest.mark.parametrize(
    ("data", "kind", "rows"),
    [
        ("id,text\n1,こんにちは。\n2,さようなら。\n", "csv", [("1", "こんにちは。"), ("2", "さようなら。")]),
        ("番号,セリフ,話者,備考\nあ,はい。,ken,x\n", "csv", [("あ", "はい。")]),
        ("id\ttext\na\t一、\n", "tsv", [("a", "一、")]),
        ('text\n"二行の\n文。"\n次。\n', "csv", [("line-000002", "二行の\n文。"), ("line-000004", "次。")]),
        ("こんにちは。\nさようなら。\n", "csv", [("line-000001", "こんにちは。"), ("line-000002", "さようなら。")]),
        ("sep=;\nid;text\n1;はい、どうぞ。\n", "csv", [("1", "はい、どうぞ。")]),
        ("id,text\n1,①番です。\n".encode("cp932"), "csv", [("1", "①番です。")]),
        ("id\ttext\n1\tはい。\n".encode("utf-16"), "csv", [("1", "はい。")]),
        ("id,text\n1,はい。\n".encode("utf-8-sig"), "csv", [("1", "はい。")]),
        ('[{"id": "a", "text": "一。"}, "二。"]', "json", [("a", "一。"), ("line-000002", "二。")]),
        ('{"items": ["一。"]}', "json", [("line-000001", "一。")]),
        ('{"id": "あい", "text": "一。", "speaker": ""}', None, [("あい", "一。")]),
    ],
)
def test_lists(data, kind, rows):
    script = read(data, kind)
    assert script.items
    assert not script.errors
    spoken = {}
    for passage in script.passages:
        spoken[passage.item] = "\n".join(filter(None, [spoken.get(passage.item, ""), passage.text]))
    assert list(spoken.items()) == rows


def test_a_bad_row_is_its_own_error():
    script = read('[{"id": "a", "text": "一。"},\n {"id": "b", "txt": "二。"},\n 3]', "json")
    assert [(error.line, error.item) for error in script.errors] == [(2, "b"), (3, "line-000003")]
    script = read("id,text,speed\na,一。,1.2\nb,二。,abc\nc,,1\n", "csv")
    assert script.passages[0].options.speed == 1.2
    assert [error.line for error in script.errors] == [3, 4]


@pytest.mark.parametrize(
    ("data", "kind", "what"),
    [
        ("a,b,c\n1,2,3\n", "csv", "no row names the columns"),
        ("text,text\n一,二\n", "csv", "two columns have one name"),
        ('{"a": 1}', "json", "no list of texts"),
        ("[" * 200, "json", "not JSON"),
        ("{\\rtf1\\ansi x}", "text", "RTF"),
        (b"\x89PNG\r\n\x1a\n", None, "a PNG picture"),
        (b"RIFF\0\0\0\0WEBPVP8 ", None, "a WebP picture"),
        (b"\0\0\0\x20ftypisom", None, "an MP4 file"),
        (b"Rar!\x1a\x07\0", None, "a RAR file"),
        ("<?xml version='1.0'?><rss version='2.0'></rss>", "ssml", "a feed"),
        ("[Script Info]\nTitle: x", "text", "ASS or SSA"),
        ("[00:01.00]あ\n[00:02.00]い\n[00:03.00]う\n", "text", "lyrics with times"),
        ("0:00:01.000,0:00:02.000\nはい。\n", "text", "subtitles that are not read"),
        ("{1}{50}はい。\n{60}{90}いいえ。\n{91}{99}雨。\n", "text", "subtitles that are not read"),
        ("<SAMI><BODY><SYNC Start=1>あ", "text", "SAMI"),
        ("<?xml version='1.0'?><opml version='2.0'/>", "ssml", "a list of feeds"),
        ("MIME-Version: 1.0\nContent-Type: text/html\n\nあ", "text", "a mail or a web archive"),
    ],
)
def test_what_is_not_taken_is_refused_with_what_to_do(data, kind, what):
    with pytest.raises(InvalidInput, match=what) as caught:
        read(data, kind)
    assert caught.value.hint


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        ("番号,セリフ,話者\n1,はい。,mei\n2,いいえ。,mei\n", "csv"),
        ("id\ttext\na\tはい。\nb\tいいえ。\n", "tsv"),
        ('"番号";"台詞"\n1;はい。\n2;いいえ。\n', "csv"),
        ('[\n "はい。",\n "いいえ。"\n]\n', "json"),
        ('{\n  "lines": [{"text": "はい。"}, "いいえ。"]\n}', "json"),
        ("\ufeffWEBVTT\n\n00:01.000 --> 00:02.000\nはい。\n\n00:03.000 --> 00:04.000\nいいえ。\n", "vtt"),
    ],
)
def test_a_text_file_is_what_it_holds(data, kind):
    source = source_from(data.encode(), "text", explicit=False)
    assert source.format == kind
    assert said(parse_script(source, Voice("mei"))) == ["はい。", "いいえ。"]


@pytest.mark.parametrize(
    "data", ["本文, 台詞の話。\n次。", "text\n次。", '["雨", と彼は言った。\n次。', "12:30,13:00\n次。"]
)
def test_prose_is_no_table_and_no_list(data):
    assert source_from(data.encode(), "text", explicit=False).format == "text"


@pytest.mark.parametrize("mark", ["\f", "\v", "\x85", "\u2028", "\u2029", "\r", "\r\n"])
def test_ends_of_lines_of_all_kinds(mark):
    assert said(read(f"一行目{mark}二行目", "text")) == ["一行目", "二行目"]


@pytest.mark.parametrize(
    ("name", "what"), [("xl/workbook.xml", "Excel"), ("content.xml", "OpenDocument"), ("a.txt", "a ZIP file")]
)
def test_archives_are_refused_by_what_is_inside(name, what, tmp_path):
    with zipfile.ZipFile(tmp_path / "a.txt", "w") as archive:
        archive.writestr(name, "x")
    with pytest.raises(InvalidScript, match=what):
        load_script(tmp_path / "a.txt", Voice("mei"))


BOOK = f"""<?xml version="1.0" encoding="utf-8"?>
<FictionBook xmlns="http://www.gribuser.ru/xml/fictionbook/2.0" xmlns:l="http://www.w3.org/1999/xlink">
<description><title-info><author><first-name>Hanako</first-name><last-name>Yamada</last-name></author>
<book-title>雨の本</book-title><coverpage><image l:href="#c.png"/></coverpage><sequence name="四季" number="2"/>
</title-info></description><body><title><p>雨の本</p></title>
<section><title><p>第一章</p><p>朝</p></title><p>朝だ<a l:href="#n1" type="note">[1]</a>。</p><empty-line/>
<poem><stanza><v>一行目</v><v>二行目</v></stanza></poem></section>
<section><title><p>第二章</p></title><p>夜だ。</p></section></body>
<body name="notes"><section id="n1"><title><p>1</p></title><p>注です。</p></section></body>
<binary id="c.png" content-type="image/png">{base64.b64encode(PNG).decode()}</binary></FictionBook>"""


def test_fb2(tmp_path):
    script = read(BOOK)
    assert (script.title, script.author, script.series, script.volume) == ("雨の本", "Hanako Yamada", "四季", "2")
    assert script.cover.data == PNG
    assert said(script)[:6] == ["雨の本", "第一章　朝", "朝だ。", "一行目", "二行目", "第二章"]
    assert "注です。" in said(script)
    with zipfile.ZipFile(tmp_path / "b.fb2.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("b.fb2", BOOK)
    assert said(load_script(tmp_path / "b.fb2.zip", Voice("mei"))) == said(script)


W = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
DOCUMENT = f"""<?xml version="1.0"?><w:document {W}><w:body>
<w:p><w:pPr><w:pStyle w:val="a3"/></w:pPr><w:r><w:t>題名</w:t></w:r></w:p>
<w:p><w:pPr><w:pStyle w:val="toc1"/></w:pPr><w:r><w:t>第一章 1</w:t></w:r></w:p>
<w:p><w:pPr><w:pStyle w:val="1"/></w:pPr><w:r><w:t>第一章</w:t></w:r></w:p>
<w:p><w:r><w:t xml:space="preserve">今日は</w:t></w:r><w:r><w:ruby><w:rt><w:r><w:t>あめ</w:t></w:r></w:rt>
<w:rubyBase><w:r><w:t>雨</w:t></w:r></w:rubyBase></w:ruby></w:r><w:r><w:t>だ。</w:t></w:r>
<w:del><w:r><w:delText>消した</w:delText></w:r></w:del><w:r><w:rPr><w:vanish/></w:rPr><w:t>隠した</w:t></w:r>
<w:r><w:t>続き。</w:t></w:r></w:p>
<w:tbl><w:tr><w:tc><w:p><w:r><w:t>表の中</w:t></w:r></w:p></w:tc></w:tr></w:tbl></w:body></w:document>"""
STYLES = f"""<w:styles {W}><w:style w:type="paragraph" w:styleId="1"><w:name w:val="heading 1"/></w:style>
<w:style w:type="paragraph" w:styleId="a3"><w:name w:val="Title"/></w:style>
<w:style w:type="paragraph" w:styleId="toc1"><w:name w:val="toc 1"/></w:style></w:styles>"""
NOTES = f"""<w:footnotes {W}><w:footnote w:type="separator"><w:p><w:r><w:t>x</w:t></w:r></w:p></w:footnote>
<w:footnote w:id="1"><w:p><w:r><w:t>脚注です。</w:t></w:r></w:p></w:footnote></w:footnotes>"""
CORE = (
    '<c:coreProperties xmlns:c="x" xmlns:dc="y"><dc:title>雨</dc:title><dc:creator>某</dc:creator></c:coreProperties>'
)


def test_docx(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.bin", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("word/document.xml", DOCUMENT)
        archive.writestr("word/styles.xml", STYLES)
        archive.writestr("word/footnotes.xml", NOTES)
        archive.writestr("docProps/core.xml", CORE)
    script = load_script(tmp_path / "a.bin", Voice("mei"))
    assert said(script) == ["題名", "第一章", "今日は雨だ。続き。", "表の中", "脚注です。"]
    assert readings(script) == [("雨", "あめ")]
    assert (script.title, script.author) == ("雨", "某")
    assert [chapter.title for chapter in script.chapters] == ["題名", "第一章"]
    assert said(read((tmp_path / "a.bin").read_bytes())) == said(script), "from standard input, too"


def test_a_horizontal_pdf(tmp_path):
    pages = [
        [
            (40, 560, 8, "声便の本"),
            (60, 520, 16, f"第{n}章　雨"),
            (50, 490, 10, "　吾輩は猫である。名前はまだ無い。どこで生れたかとんと見当"),
            (150, 501, 5, "なまえ"),
            (50, 472, 10, "がつかぬ。何でも薄暗いじめじめした所でニャーニャー泣いてい"),
            (50, 454, 10, f"た事だけは{n}記憶している。"),
            (50, 436, 10, f"　次の段落{n}です。ABC def の話。"),
            (200, 20, 8, f"- {n} -"),
        ]
        for n in (1, 2, 3)
    ]
    script = load_script(pdf(tmp_path / "a.pdf", pages), Voice("mei"))
    assert [chapter.title for chapter in script.chapters] == ["第1章雨", "第2章雨", "第3章雨"]
    assert said(script)[:3] == [
        "第1章雨",
        "吾輩は猫である。名前はまだ無い。どこで生れたかとんと見当がつかぬ。何でも薄暗いじめじめした所で"
        "ニャーニャー泣いていた事だけは1記憶している。",
        "次の段落1です。ABC defの話。",
    ]
    assert readings(script)[0] == ("前", "なまえ")
    assert not script.left_out


def test_a_vertical_pdf(tmp_path):
    pages = [
        [
            (300, 570, -8, "声便の本"),
            (380, 540, 10, "　少年は猫である。名前はまだ無い。どこで生れたかとんと見当がつかぬ。何で"),
            (388, 530, 5, "しょうねん"),
            (362, 540, 10, "も薄暗いじめじめした所でニャーニャー泣いていた事だけは記憶している。"),
            (344, 540, 10, "「おい」"),
            (326, 540, 10, f"　吾輩は{n}ここで始めて人間というものを見た。しかもあとで聞くとそれは書生"),
            (40, 20, -8, f"{n}"),
        ]
        for n in (1, 2, 3)
    ]
    marks = [("第一章", 0), ("第二章", 1)]
    script = load_script(pdf(tmp_path / "a.pdf", pages, vertical=True, bookmarks=marks), Voice("mei"))
    assert [chapter.title for chapter in script.chapters] == ["第一章", "第二章"]
    assert said(script)[:3] == [
        "少年は猫である。名前はまだ無い。どこで生れたかとんと見当がつかぬ。何でも薄暗いじめじめした所で"
        "ニャーニャー泣いていた事だけは記憶している。",
        "「おい」",
        "吾輩は1ここで始めて人間というものを見た。しかもあとで聞くとそれは書生",
    ]
    assert readings(script)[0] == ("少年", "しょうねん")


def test_lines_without_an_extent_are_read():
    far = 1e18  # where the width of a character is less than the next number
    lines = [Line([Character("雨", x, 500.0, 10.0, 10.0, 10.0, x, 500.0)], vertical=False) for x in (far, 100.0)]
    assert "".join(paragraph.text for paragraph in paragraphs_of(lines)) == "雨雨"


def test_two_columns_of_a_pdf_are_read_one_after_the_other(tmp_path):
    left = [(50, 500 - 18 * n, 10, f"左の段の{n}行目がここまで続く") for n in range(5)]
    right = [(230, 500 - 18 * n, 10, f"右の段の{n}行目がここまで続く") for n in range(5)]
    script = load_script(pdf(tmp_path / "a.pdf", [[*left, *right]]), Voice("mei"))
    text = "".join(said(script))
    assert text.index("左の段の4行目") < text.index("右の段の0行目")


def test_a_pdf_without_a_text_and_a_broken_one(tmp_path):
    with pytest.raises(InvalidScript, match="no text, only pictures") as caught:
        load_script(pdf(tmp_path / "a.pdf", [[]]), Voice("mei"))
    assert "ocrmypdf" in caught.value.hint
    (tmp_path / "b.pdf").write_bytes(b"%PDF-1.7 \0 nothing")
    with pytest.raises(InvalidScript, match="not a PDF, or a broken one"):
        load_script(tmp_path / "b.pdf", Voice("mei"))
