import zipfile

import pytest

from koebin.engine import limits
from koebin.engine.errors import InvalidInput, InvalidScript
from koebin.producers.formats.load import load_script
from koebin.producers.formats.source import read_source
from koebin.producers.formats.speaker_names import Voice
from tests.unit.producers.formats.books import CONTAINER, NAV, NAV_ITEM, NCX, ONE, PNG, TWO, epub, package

SAID = [
    "第一章",
    "漢字と\xa0太字の行です。",
    "次の行々。",
    "地の文",
    "段落",
    "残り",
    "前の続き。",
    "第二章",
    "明日です。",
]


def load(path):
    return load_script(path, Voice("mei"))


def test_a_book(tmp_path):
    script = load(epub(tmp_path / "book.epub"))
    assert (script.title, script.author) == ("小さな本", "声便、もう一人")
    assert (script.cover.data, script.cover.media_type) == (PNG, "image/png")
    assert [chapter.title for chapter in script.chapters] == ["第一章 朝", "第二章"]
    assert [passage.text for passage in script.passages] == SAID
    assert [passage.chapter for passage in script.passages] == [0] * 7 + [1] * 2
    assert [passage.line for passage in script.passages] == list(range(1, 10)), "paragraphs, counted over the book"
    readings = [(p.text[r.start : r.end], r.kana) for p in script.passages for r in p.readings]
    assert readings == [("漢字", "かんじ"), ("明日", "あした")]


def test_notes_are_read_and_their_marks_are_not(tmp_path):
    page = (
        '<html xmlns="http://www.w3.org/1999/xhtml" xmlns:epub="http://www.idpf.org/2007/ops"><body>'
        '<p>一つ目<sup><a href="#n1">1</a></sup>、二つ目<a href="notes.xhtml#n2"><sup>2</sup></a>、'
        '三つ目<a epub:type="noteref" href="#n3">*3</a>、m<sup>2</sup>と<a href="#n1">次の章</a>。</p>'
        '<aside id="n1">注です。<a role="doc-backlink" href="#r1">↩︎</a></aside></body></html>'
    )
    script = load(epub(tmp_path / "book.epub", {"OEBPS/two.xhtml": page}))
    assert [passage.text for passage in script.passages][-2:] == ["一つ目、二つ目、三つ目、m2と次の章。", "注です。"]


def test_the_contents_of_epub_2(tmp_path):
    files = {
        "OEBPS/package.opf": package(
            '<item id="ncx" href="toc.ncx" media-type="application/x-dtbncx+xml"/>'
            '<item id="c" href="images/cover%20page.png" media-type="image/png"/>',
            metadata='<meta name="cover" content="c"/>',
            ncx=' toc="ncx"',
        ),
        "OEBPS/toc.ncx": NCX,
        "OEBPS/nav.xhtml": None,
    }
    script = load(epub(tmp_path / "book.epub", files))
    assert [chapter.title for chapter in script.chapters] == ["古い第一章"]
    assert script.cover.data == PNG
    assert [passage.text for passage in script.passages] == SAID


def test_without_contents_headings_are_chapters(tmp_path):
    script = load(epub(tmp_path / "book.epub", {"OEBPS/package.opf": package()}))
    assert [chapter.title for chapter in script.chapters] == ["第一章", "第二章"]
    assert script.cover is None


def test_other_encodings_and_no_name(tmp_path):
    page = ONE.replace('encoding="utf-8"', 'encoding="Shift_JIS"').encode("cp932")
    path = epub(tmp_path / "book.zip", {"OEBPS/one.xhtml": page, "OEBPS/two.xhtml": TWO.encode("utf-16")})
    assert read_source(path).format == "epub"
    assert [passage.text for passage in load(path).passages] == SAID


RUBIES = {
    "<ruby>東<rt>とう</rt>京<rt>きょう</rt></ruby>": [("東京", "とうきょう")],
    "<ruby><rb>東京</rb><rp>(</rp><rt>とうきょう</rt><rp>)</rp></ruby>": [("東京", "とうきょう")],
    "<ruby><rb>東</rb><rb>京</rb><rt>とうきょう</rt></ruby>": [("東京", "とうきょう")],
    "<ruby>食<rt>た</rt>べる</ruby>": [("食", "た")],
    "<ruby>東京<rt>Tokyo</rt></ruby>": [],
    "<ruby>東京</ruby>": [],
}


@pytest.mark.parametrize("markup", RUBIES)
def test_ruby(markup, tmp_path):
    page = f"<html><body><p>町は{markup}\n  です。</p></body></html>"
    passage = load(epub(tmp_path / "book.epub", {"OEBPS/one.xhtml": page})).passages[0]
    assert passage.text in ("町は東京です。", "町は食べるです。")
    assert [(passage.text[r.start : r.end], r.kana) for r in passage.readings] == RUBIES[markup]


GROWING = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 20}">' for n in range(1, 5))
BOMB = f"<!DOCTYPE html [<!ENTITY e0 'あああああああ'>{GROWING}]><html><body><p>&e4;</p></body></html>"
STRANGER = '<!DOCTYPE html [<!ENTITY x SYSTEM "file:///etc/passwd">]><html><body><p>あ&x;</p></body></html>'
ENCRYPTED = """<encryption xmlns="urn:oasis:names:tc:opendocument:xmlns:container"
 xmlns:enc="http://www.w3.org/2001/04/xmlenc#"><enc:EncryptedData>
<enc:EncryptionMethod Algorithm="http://www.w3.org/2001/04/xmlenc#aes128-cbc"/>
<enc:CipherData><enc:CipherReference URI="OEBPS/one.xhtml"/></enc:CipherData></enc:EncryptedData></encryption>"""


@pytest.mark.parametrize(
    ("files", "what"),
    [
        ({"META-INF/container.xml": None, "OEBPS/package.opf": None}, "names no package"),
        ({"META-INF/container.xml": CONTAINER.replace("OEBPS/", "../../etc/")}, "lacks a file that it names"),
        ({"META-INF/container.xml": "<container/>", "OEBPS/package.opf": None}, "names no package"),
        ({"META-INF/container.xml": b"\xff\xfe\x00"}, "XML|is not"),
        ({"OEBPS/package.opf": package(spine="")}, "there is nothing to speak"),
        ({"OEBPS/package.opf": BOMB}, "come to too much"),
        ({"META-INF/encryption.xml": ENCRYPTED}, "is encrypted"),
        ({"META-INF/encryption.xml": ENCRYPTED, "META-INF/license.lcpl": "{}"}, "protected with Readium LCP"),
        ({"META-INF/encryption.xml": ENCRYPTED, "META-INF/rights.xml": "<r/>"}, "protected with Adobe ADEPT"),
        ({"META-INF/encryption.xml": ENCRYPTED, "META-INF/sinf.xml": "<r/>"}, "protected with Apple FairPlay"),
    ],
)
def test_broken_and_hostile_books(files, what, tmp_path):
    with pytest.raises(InvalidScript, match=what):
        load(epub(tmp_path / "book.epub", files))


def test_what_cannot_be_read_does_not_refuse_the_book(tmp_path):
    page = "<html><body><p>＊</p><p>これは\u16a0です</p></body></html>"
    script = load(epub(tmp_path / "book.epub", {"OEBPS/one.xhtml": page}))
    assert any("です" in passage.text for passage in script.passages)


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        ({"OEBPS/package.opf": package(spine='<itemref idref="three"/><itemref idref="two"/>')}, "not there"),
        ({"OEBPS/one.xhtml": None}, "lacks a file that it names"),
        ({"OEBPS/one.xhtml": BOMB}, "come to too much"),
        ({"OEBPS/one.xhtml": "<html>" + " " * (8 << 20) + "</html>"}, "is too large"),
        ({"OEBPS/one.xhtml": b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 20}, "is not utf-8"),
        ({"OEBPS/one.xhtml": "<b>" * (limits.XML_DEPTH + 1) + "</b>" * (limits.XML_DEPTH + 1)}, "too deeply"),
    ],
)
def test_a_bad_page_is_left_out_and_told(files, reason, tmp_path):
    script = load(epub(tmp_path / "book.epub", files))
    assert [passage.text for passage in script.passages] == SAID[6:]
    (left,) = script.left_out
    assert reason in left.reason
    assert left.text


@pytest.mark.parametrize(
    ("page", "said"),
    [
        ("<html><body><p>あ</body></html>", ["あ"]),
        ("<html><body><p>あ&nothing;</p></body></html>", ["あ&nothing;"]),
        ("<html><body><p>R&D と A & B。</p></body></html>", ["R&D と A & B。"]),
        (ONE.encode("cp932"), SAID[:6]),
        (STRANGER, ["あ&x;"]),
        ("<!DOCTYPE html [<!ENTITY n 'な'><!ENTITY m '&n;&#x3052;'>]><html><p>&m;く</p></html>", ["なげく"]),
        ("<html><body><p><![CDATA[a&nbsp;<b>]]>の話</p></body></html>", ["a&nbsp;<b>の話"]),
    ],
)
def test_a_page_that_is_not_quite_xml_is_read_all_the_same(page, said, tmp_path):
    script = load(epub(tmp_path / "book.epub", {"OEBPS/one.xhtml": page}))
    assert [passage.text for passage in script.passages] == [*said, *SAID[6:]]
    assert not script.left_out


def test_scrambled_fonts_and_a_licence_are_no_encryption(tmp_path):
    fonts = ENCRYPTED.replace("http://www.w3.org/2001/04/xmlenc#aes128-cbc", "http://www.idpf.org/2008/embedding")
    elsewhere = ENCRYPTED.replace("one.xhtml", "font.otf")
    for files in ({"META-INF/encryption.xml": fonts}, {"META-INF/encryption.xml": elsewhere}):
        assert load(epub(tmp_path / "book.epub", {**files, "META-INF/rights.xml": "<rights/>"})).passages


def test_all_pages_together_have_a_limit(tmp_path, monkeypatch):
    monkeypatch.setattr(limits, "ARCHIVE_TOTAL_BYTES", 2000)
    script = load(epub(tmp_path / "book.epub"))
    assert len(script.passages) < len(SAID)
    assert "too large" in script.left_out[-1].reason


def test_too_many_files(tmp_path, monkeypatch):
    monkeypatch.setattr(limits, "ARCHIVE_FILES", 3)
    with pytest.raises(InvalidScript, match="more than 3 files"):
        load(epub(tmp_path / "book.epub"))


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_only_the_two_methods_of_the_standard_are_unpacked(method, tmp_path):
    path = epub(tmp_path / "book.epub", {"OEBPS/one.xhtml": None})
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("OEBPS/one.xhtml", ONE, compress_type=method)
    script = load(path)
    assert [passage.text for passage in script.passages] == SAID[6:]
    assert "is compressed with" in script.left_out[0].reason


@pytest.mark.parametrize("cut", [0, 10, 100, 1000, -30])
def test_half_a_book(cut, tmp_path):
    path = epub(tmp_path / "book.epub")
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(InvalidInput, match=r"not an EPUB|a broken one|empty"):
        load(path)


def test_no_book(tmp_path):
    with pytest.raises(InvalidScript, match="no such file"):
        load(tmp_path / "book.epub")
    (tmp_path / "folder.epub").mkdir()
    with pytest.raises(InvalidScript, match="cannot be read"):
        load(tmp_path / "folder.epub")


def test_damaged_content_is_noticed(tmp_path):
    path = epub(tmp_path / "book.epub")
    with zipfile.ZipFile(path) as archive:
        offset = archive.getinfo("OEBPS/one.xhtml").header_offset
    data = bytearray(path.read_bytes())
    data[offset + 60 : offset + 80] = b"\0" * 20
    path.write_bytes(data)
    script = load(path)
    assert [passage.text for passage in script.passages] == SAID[6:]
    assert "is damaged" in script.left_out[0].reason


def test_nested_names_take_no_time_that_grows_with_their_depth(tmp_path):
    depth = limits.XML_DEPTH - 10
    nested = "<dc:creator>" * depth + "名" * 200_000 + "</dc:creator>" * depth
    script = load(epub(tmp_path / "book.epub", {"OEBPS/package.opf": package(NAV_ITEM, metadata=nested)}))
    assert script.author.startswith("声便、もう一人、名名")


SHEET = ".secret, #gone { display: none } .shown { display: block } @media print { p { display: none } }"
HIDING = """<p class="secret">一</p><p id="gone">二</p><p aria-hidden="true">三</p><p hidden="hidden">四</p>
<p style="display:none">五</p><p class="shown" aria-hidden="false">六<span class="secret">七</span>。</p>"""


@pytest.mark.parametrize(
    "head", ['<link rel="stylesheet" href="../OEBPS/css/a%20b.css"/>', f"<style type='text/css'>{SHEET}</style>"]
)
def test_what_a_style_sheet_hides_is_silent(head, tmp_path):
    page = f"<html><head>{head}</head><body>{HIDING}</body></html>"
    book = epub(tmp_path / "book.epub", {"OEBPS/one.xhtml": page, "OEBPS/css/a b.css": SHEET})
    assert [passage.text for passage in load(book).passages] == ["六。", *SAID[6:]]
    broken = page.replace("</body>", "")
    book = epub(tmp_path / "book.epub", {"OEBPS/one.xhtml": broken, "OEBPS/css/a b.css": SHEET})
    assert [passage.text for passage in load(book).passages] == ["六。", *SAID[6:]]


def test_a_chapter_that_begins_in_something_hidden_is_kept(tmp_path):
    page = TWO.replace('<h2 id="second">', '<div hidden="hidden"><a id="second"/></div><h2>')
    script = load(epub(tmp_path / "book.epub", {"OEBPS/two.xhtml": page}))
    assert [chapter.title for chapter in script.chapters] == ["第一章 朝", "第二章"]


@pytest.mark.parametrize(
    "mark",
    [
        "1", "＊", "※２", "[3]", "（注四）", "〔五〕", "*6", "①", "¹", "[a]", "(iv)", "註", "↩", "†", "§2", "注 3",
        "戻る", "[本文へ戻る]", "Back", "^", "1.",
    ],
)  # fmt: skip
def test_marks_of_notes_are_silent(mark, tmp_path):
    page = f'<html><body><p>雨<a href="#n">{mark}</a>が降る。</p></body></html>'
    assert load(epub(tmp_path / "book.epub", {"OEBPS/one.xhtml": page})).passages[0].text == "雨が降る。"


@pytest.mark.parametrize("kind", ["noteref", "x footnote-ref"])
def test_marks_of_notes_by_their_class_are_silent(kind, tmp_path):
    page = f'<html><body><p>雨<a href="#n" class="{kind}">甲</a>が降る。</p></body></html>'
    assert load(epub(tmp_path / "book.epub", {"OEBPS/one.xhtml": page})).passages[0].text == "雨が降る。"


@pytest.mark.parametrize("text", ["一", "第三章", "注釈", "戻る道", "a", "12345"])
def test_other_links_are_words(text, tmp_path):
    page = f'<html><body><p>雨<a href="#n">{text}</a>が降る。</p></body></html>'
    assert load(epub(tmp_path / "book.epub", {"OEBPS/one.xhtml": page})).passages[0].text == f"雨{text}が降る。"


@pytest.mark.parametrize(
    "number",
    [
        '<span epub:type="pagebreak" id="p1">１２</span>',
        '<a epub:type="z3998:pagebreak">12</a>',
        '<span role="doc-pagebreak" aria-label="12">12</span>',
        '<span class="pagenum x">[Pg 12]</span>',
        '<span class="PageNo">12</span>',
    ],
)
def test_page_numbers_of_the_print_are_silent(number, tmp_path):
    page = f'<html xmlns:epub="http://www.idpf.org/2007/ops"><body><p>雨{number}が降る。</p></body></html>'
    assert load(epub(tmp_path / "book.epub", {"OEBPS/one.xhtml": page})).passages[0].text == "雨が降る。"


DRAWING = '<svg xmlns="http://www.w3.org/2000/svg"><title>題</title>{}</svg>'


def test_text_of_a_drawing_within_a_page_is_told(tmp_path):
    page = f"<html><body><p>雨{DRAWING.format('<text>図の字</text>')}が降る。</p></body></html>"
    script = load(epub(tmp_path / "book.epub", {"OEBPS/one.xhtml": page}))
    assert script.passages[0].text == "雨が降る。"
    assert [(left.reason, left.text) for left in script.left_out] == [("text of a picture", "OEBPS/one.xhtml: 図の字")]


def test_a_picture_that_stands_alone_is_no_character(tmp_path):
    page = '<html><body><figure><img src="a.png" alt="図"/><figcaption>説明</figcaption></figure></body></html>'
    script = load(epub(tmp_path / "book.epub", {"OEBPS/one.xhtml": page}))
    assert [passage.text for passage in script.passages] == ["説明", *SAID[6:]]


def test_the_first_of_two_files_with_one_id_is_meant(tmp_path):
    twice = '<item id="one" href="two.xhtml" media-type="application/xhtml+xml"/>'
    script = load(epub(tmp_path / "book.epub", {"OEBPS/package.opf": package(twice)}))
    assert [passage.text for passage in script.passages] == SAID


def test_addresses_from_the_root_of_the_archive(tmp_path):
    files = {"META-INF/container.xml": CONTAINER.replace("OEBPS/", "/./OEBPS/")}
    assert load(epub(tmp_path / "book.epub", files)).passages
    locked = {"META-INF/encryption.xml": ENCRYPTED.replace("OEBPS/one", "/OEBPS/%6Fne"), "rights.xml": "<kdrm/>"}
    with pytest.raises(InvalidScript, match="protected with Kobo DRM"):
        load(epub(tmp_path / "book.epub", locked))


LINKS = '<li><a href="two.xhtml">第一章　朝</a></li><li><a href="two.xhtml#second">第二章</a></li>'


@pytest.mark.parametrize(
    "contents",
    [
        f"<h1>【目次】</h1><ul>{LINKS}</ul>",
        f"<h2>総目次</h2><ul>{LINKS}</ul>",
        f"<h1>INDEX</h1><ul>{LINKS}</ul>",
        f'<section epub:type="toc"><h1>本書の構成</h1><ul>{LINKS}</ul></section>',
        "<p>目　次</p><p><a href='two.xhtml'>第一章　朝</a>……5</p><p><a href='two.xhtml#second'>第二章</a>……20</p>",
        "<h1>Contents</h1><table><tr><td><a href='two.xhtml'>第一章　朝</a></td><td>5</td></tr>"
        "<tr><td><a href='two.xhtml#second'>第二章</a></td><td>9</td></tr></table>",
        "<h1>目次</h1><p>第一章 朝</p><p>第二章 …… 9</p>",
    ],
)
def test_contents_pages_of_many_kinds_are_not_read(contents, tmp_path):
    page = f'<html xmlns:epub="http://www.idpf.org/2007/ops"><body>{contents}</body></html>'
    script = load(epub(tmp_path / "book.epub", {"OEBPS/one.xhtml": page}))
    assert [passage.text for passage in script.passages] == SAID[6:]


def test_a_page_that_tells_of_the_contents_is_read(tmp_path):
    page = "<html><body><h1>目次について</h1><p>この本には<a href='two.xhtml'>第二章</a>がある。</p></body></html>"
    script = load(epub(tmp_path / "book.epub", {"OEBPS/one.xhtml": page}))
    assert [passage.text for passage in script.passages][:2] == ["目次について", "この本には第二章がある。"]


def test_a_chapter_whose_place_is_missing_begins_with_its_page(tmp_path):
    script = load(epub(tmp_path / "book.epub", {"OEBPS/two.xhtml": TWO.replace('id="second"', 'id="Second"')}))
    assert [chapter.title for chapter in script.chapters] == ["第一章 朝", "第二章"]


def test_a_break_within_a_reading_ends_no_paragraph(tmp_path):
    page = "<html><body><p>雨<ruby>今日<rt>きょう<br/></rt></ruby>降る。</p></body></html>"
    passage = load(epub(tmp_path / "book.epub", {"OEBPS/one.xhtml": page})).passages[0]
    assert (passage.text, [reading.kana for reading in passage.readings]) == ("雨今日降る。", ["きょう"])


def test_a_gaiji_whose_alternative_says_only_that_it_is_one(tmp_path):
    pictures = "".join(f'<img class="gaiji" src="{name}" alt="外字"/>' for name in ("g/1-84-77.png", "x.png"))
    script = load(
        epub(tmp_path / "book.epub", {"OEBPS/one.xhtml": f"<html><body><p>あ{pictures}る。</p></body></html>"})
    )
    assert script.passages[0].text == "あ挘る。"
    assert [left.reason for left in script.left_out] == ["a character that is only a picture"]


def test_a_book_of_pages_beside_the_reading_order_is_read(tmp_path):
    spine = '<itemref idref="one" linear="no"/><itemref idref="two" linear="no"/>'
    script = load(epub(tmp_path / "book.epub", {"OEBPS/package.opf": package(spine=spine)}))
    assert [passage.text for passage in script.passages] == SAID


def test_a_book_that_is_nothing_but_its_contents_is_read(tmp_path):
    spine = '<itemref idref="nav"/>'
    page = NAV.replace(
        '<nav epub:type="landmarks">', '<p>この本は<a href="one.xhtml">第一章</a>から。</p><nav epub:type="landmarks">'
    )
    files = {"OEBPS/package.opf": package(NAV_ITEM, spine), "OEBPS/nav.xhtml": page}
    assert [passage.text for passage in load(epub(tmp_path / "book.epub", files)).passages] == ["この本は第一章から。"]


def test_a_book_of_pictures_is_refused_with_what_to_do(tmp_path):
    page = '<html><body><img src="a.png" alt="一頁目"/></body></html>'
    with pytest.raises(InvalidScript, match="pictures and no text") as caught:
        load(epub(tmp_path / "book.epub", {"OEBPS/one.xhtml": page, "OEBPS/two.xhtml": page}))
    assert "text recognition" in caught.value.hint
