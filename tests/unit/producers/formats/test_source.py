import subprocess
import sys
from pathlib import Path

import pytest

from koebin.engine.errors import InvalidInput, InvalidScript, InvalidText
from koebin.producers.formats.source import read_source, source_from
from tests.unit.producers.formats.books import epub


@pytest.mark.parametrize(
    ("name", "text", "kind"),
    [
        ("a.txt", "本文。", "text"),
        ("a.txt", "本文［＃改ページ］", "aozora"),
        ("a.txt", "本文。\n\n底本：「全集」", "aozora"),
        ("a.txt", "+++\n+++\n本文。", "dialogue"),
        ("a.md", "本文［＃改ページ］", "markdown"),
        ("a.Markdown", "本文", "markdown"),
        ("a.dialogue", "本文", "dialogue"),
        ("a.jsonl", '{"text": "あ"}', "jsonl"),
        ("a.ssml", "<speak>あ</speak>", "ssml"),
        ("a.unknown", "<speak>あ</speak>", "ssml"),
        ("a", "本文。", "text"),
    ],
)
def test_the_format_is_told_by_name_and_look(name, text, kind, tmp_path):
    (tmp_path / name).write_text(text)
    assert read_source(tmp_path / name).format == kind


def test_a_format_that_is_named_holds(tmp_path):
    (tmp_path / "a.md").write_text("本文［＃改ページ］")
    assert read_source(tmp_path / "a.md", "text").format == "text"
    assert read_source(epub(tmp_path / "a.bin")).format == "epub"


@pytest.mark.parametrize(
    ("data", "text", "encoding"),
    [
        ("本文。".encode(), "本文。", "UTF-8"),
        ("本文。".encode("utf-8-sig"), "本文。", "UTF-8"),
        ("本文。".encode("utf-16"), "本文。", "UTF-16"),
        (b"\xfe\xff" + "本文。".encode("utf-16-be"), "本文。", "UTF-16"),
        ("これは《それ》です［＃改ページ］".encode("cp932"), "これは《それ》です［＃改ページ］", "Shift_JIS"),
        ("これは《それ》です［＃改ページ］".encode("euc_jp"), "これは《それ》です［＃改ページ］", "EUC-JP"),
    ],
)
def test_encodings(data, text, encoding):
    source = source_from(data)
    assert (source.text, source.encoding) == (text, encoding)


@pytest.mark.parametrize(
    ("data", "line", "column", "message"),
    [
        ("一行目\nこれは本文です。".encode("cp932"), 1, 1, "It looks like Shift_JIS. Run: iconv -f CP932 -t UTF-8"),
        ("abc\nこれは本文です。".encode("euc_jp"), 2, 1, "It looks like EUC-JP. Run: iconv -f EUC-JP -t UTF-8"),
        ("本文\nabc".encode() + b"\xff", 2, 4, "byte 0xff"),
        (b"\xef\xbb\xbfab\xff", 1, 3, "not valid UTF-8"),
        (b"\xff\xfe\x00\xd8", 0, 0, "not valid UTF-16-LE"),
        (b"text\nwith \0 in it", 2, 6, "binary"),
        (b"PK\x03\x04abc", 0, 0, "a ZIP file"),
        (b"\x89PNG\r\n", 0, 0, "a PNG picture"),
        (b"ID3\x04", 0, 0, "an MP3 file"),
        (b"", 0, 0, "the text is empty"),
        (b"\xef\xbb\xbf \n", 0, 0, "the text is empty"),
        ("一行目\n二".encode() + b"\x07" * 21, 2, 2, "a control character"),
        ("短い\n".encode() + b"a" * 10_000_000, 0, 0, "more than 10000000"),
        ("短い\n".encode() + b"a" * 9_000_000, 2, 100_001, "the line has 9000000 characters"),
    ],
)
def test_what_is_no_text_is_refused_with_its_place(data, line, column, message):
    with pytest.raises(InvalidInput) as caught:
        source_from(data)
    assert message in str(caught.value)
    assert (caught.value.line, caught.value.column) == (line, column)


def test_files_that_cannot_be_read(tmp_path):
    with pytest.raises(InvalidScript, match="no such file"):
        read_source(tmp_path / "a.txt")
    with pytest.raises(InvalidScript, match="cannot be read"):
        read_source(tmp_path)
    (tmp_path / "a.txt").write_bytes(b"\0\1\2")
    with pytest.raises(InvalidScript, match="binary"):
        read_source(tmp_path / "a.txt")
    (tmp_path / "big.txt").write_bytes(b"\n" * ((64 << 20) + 1))
    with pytest.raises(InvalidScript, match="larger than 64 MB"):
        read_source(tmp_path / "big.txt")
    (tmp_path / "empty.jsonl").write_text("\n")
    with pytest.raises(InvalidScript, match="the file is empty"):
        read_source(tmp_path / "empty.jsonl")
    (tmp_path / "a.jsonl").write_text('{"text": "a\0"}')
    with pytest.raises((InvalidScript, InvalidText)):
        read_source(tmp_path / "a.jsonl")


def test_reading_a_script_loads_nothing_heavy():
    code = (
        "import sys; from pathlib import Path\n"
        "from koebin.producers.formats.load import load_script\n"
        "from koebin.producers.formats.speaker_names import Voice\n"
        "load_script(Path('examples/kumo_no_ito.txt'), Voice('mei'))\n"
        "heavy = ('torch', 'onnxruntime', 'pyopenjtalk', 'numpy', 'celery', 'markdown_it', 'boto3')\n"
        "print([name for name in heavy if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[4], capture_output=True, text=True)
    assert done.stdout == "[]\n", done.stderr
