import zipfile

import pytest

from koebin.engine import limits
from koebin.engine.errors import InvalidInput, InvalidScript
from koebin.producers.formats.load import load_script
from koebin.producers.formats.source import read_source
from koebin.producers.formats.voice import Voice
from tests.unit.producers.formats.books import CONTAINER, COVER_ITEM, NAV_ITEM, NCX, ONE, PNG, TWO, epub, package

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


def test_pages_outside_the_reading_order_and_the_contents_are_not_read(tmp_path):
    spine = '<itemref idref="nav"/><itemref idref="one" linear="no"/><itemref idref="two"/>'
    script = load(epub(tmp_path / "book.epub", {"OEBPS/package.opf": package(NAV_ITEM + COVER_ITEM, spine)}))
    assert [passage.text for passage in script.passages] == SAID[6:]


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
