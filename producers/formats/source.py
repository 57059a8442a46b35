"""Files as text: which encoding, which format, and whether it is text at all."""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, get_args

from koebin.engine.errors import InvalidScript
from koebin.engine.text.checks import check_text

Format = Literal["text", "aozora", "markdown", "dialogue", "jsonl", "ssml", "epub"]
FORMATS: Final[tuple[Format, ...]] = get_args(Format)

MAX_BYTES: Final = 64 << 20
"""A text file; ten million characters, the longest text that is taken, are less."""

_SUFFIXES: Final[dict[str, Format]] = {
    ".txt": "text",
    ".text": "text",
    ".md": "markdown",
    ".markdown": "markdown",
    ".dialogue": "dialogue",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".ssml": "ssml",
    ".xml": "ssml",
    ".epub": "epub",
}
_UNICODE_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_JAPANESE: Final = {"Shift_JIS": "cp932", "EUC-JP": "euc_jp"}
_BINARY: Final = {
    b"PK\x03\x04": "a ZIP file (an EPUB or an office document?)",
    b"%PDF": "a PDF",
    b"\x1f\x8b": "a gzip file",
    b"\xff\xd8\xff": "a JPEG picture",
    b"\x89PNG": "a PNG picture",
    b"RIFF": "a WAV file",
    b"ID3": "an MP3 file",
    b"\xd0\xcf\x11\xe0": "an old office document",
}
_AOZORA: Final = re.compile(r"［＃[^］\n]{1,200}］|^底本：|【テキスト中に現れる記号について】", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Source:
    """An input as it was found.

    Attributes:
        data: the text; for ``epub`` there is none, and the file is read from ``path``.
        encoding: what it was written in: ``UTF-8``, ``UTF-16``, ``Shift_JIS`` or ``EUC-JP``.
        path: where it came from, None for standard input.
    """

    text: str
    format: Format
    encoding: str = "UTF-8"
    path: Path | None = None


def read_source(path: Path, format: Format | None = None) -> Source:  # noqa: A002
    """Read the file at ``path``; its name tells the format unless ``format`` does.

    Raises:
        InvalidScript: no such file, a folder, a binary file, or another encoding.
        InvalidText: empty, a control character, or a line that is too long, with line and column.
    """
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except FileNotFoundError as error:
        raise InvalidScript("no such file", str(path), "Check the path") from error
    except OSError as error:
        raise InvalidScript(f"the file cannot be read ({error.strerror})", str(path)) from error
    named = format or _SUFFIXES.get(path.suffix.lower())
    if named == "epub" or (format is None and _is_epub(data)):
        return Source("", "epub", path=path)
    return _with_path(source_from(data, named, explicit=format is not None), path)


def source_from(data: bytes, format: Format | None = None, *, explicit: bool = True) -> Source:  # noqa: A002
    """What ``data`` is; a format that is not ``explicit`` may still turn out to be Aozora text or a dialogue.

    Raises:
        InvalidScript, InvalidText: see ``read_source``.
    """
    if format == "epub":
        raise InvalidScript("an EPUB is read from a file", hint="Give its path")
    if len(data) > MAX_BYTES:
        raise InvalidScript(f"the file is larger than {MAX_BYTES >> 20} MB", hint="Split it into several jobs")
    text, encoding = decode(data)
    if format is None or (not explicit and format == "text"):
        format = _look(text)  # noqa: A001
    if format != "jsonl":  # where every line stands for itself and is judged by itself
        check_text(text)
    elif not text.strip():
        raise InvalidScript("the file is empty", hint="Give at least one line")
    return Source(text, format, encoding)


def decode(data: bytes) -> tuple[str, str]:
    """The text and the name of its encoding; a byte order mark is left out.

    Text that is not Unicode is taken only if it is an Aozora Bunko file, which tells itself apart; any other might be
    read as something it is not.

    Raises:
        InvalidScript: binary, or another encoding, with line and column of the first byte that does not fit.
    """
    for mark, codec in _UNICODE_MARKS:
        if data.startswith(mark):
            return _decode(data[len(mark) :], codec), "UTF-8" if codec == "utf-8" else "UTF-16"
    for magic, what in _BINARY.items():
        if data.startswith(magic):
            raise InvalidScript(f"not a text but {what}", hint="Give a text file, or name the format if it is one")
    if b"\0" in data:
        line, column = _place(data, data.index(b"\0"))
        raise InvalidScript("not a text but a binary file", "", "Give a text file in UTF-8", line, column)
    try:
        return data.decode(), "UTF-8"
    except UnicodeDecodeError as error:
        return _decode_japanese(data, error)


def _decode(data: bytes, codec: str) -> str:
    try:
        return data.decode(codec)
    except UnicodeDecodeError as error:
        line, column = _place(data, error.start) if codec == "utf-8" else (0, 0)
        raise InvalidScript(f"not valid {codec.upper()}", "", "Save the text as UTF-8", line, column) from error


def _decode_japanese(data: bytes, error: UnicodeDecodeError) -> tuple[str, str]:
    hint = "Save the text as UTF-8"
    for name, codec in sorted(_JAPANESE.items(), key=lambda each: -_kana_share(data, each[1])):
        if _kana_share(data, codec) <= 0.0:
            continue
        text = data.decode(codec)
        if _AOZORA.search(text):
            return text, name
        hint = f"It looks like {name}. Run: iconv -f {codec.upper().replace('_', '-')} -t UTF-8"
        break
    line, column = _place(data, error.start)
    value = f"byte 0x{data[error.start]:02x}"
    raise InvalidScript("the text is not UTF-8", value, hint, line, column) from error


def _kana_share(data: bytes, codec: str) -> float:
    """Share of hiragana among the characters; 0 if the bytes are not of that encoding."""
    try:
        text = data.decode(codec)
    except UnicodeDecodeError:
        return 0.0
    return sum("ぁ" <= character <= "ん" for character in text) / max(1, len(text))


def _place(data: bytes, offset: int) -> tuple[int, int]:
    """Line and column of a byte, the column in characters of what precedes it."""
    start = data.rfind(b"\n", 0, offset) + 1
    return data.count(b"\n", 0, offset) + 1, len(data[start:offset].decode(errors="replace")) + 1


def _look(text: str) -> Format:
    if text.startswith("+++"):
        return "dialogue"
    if text.lstrip()[:200].startswith(("<speak", "<?xml")):
        return "ssml"
    return "aozora" if _AOZORA.search(text) else "text"


def _is_epub(data: bytes) -> bool:
    return data.startswith(b"PK\x03\x04") and data[30:58] == b"mimetypeapplication/epub+zip"


def _with_path(source: Source, path: Path) -> Source:
    return Source(source.text, source.format, source.encoding, path)
