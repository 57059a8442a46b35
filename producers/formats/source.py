"""Files as text: their encoding, their format, and whether they are text at all."""

from __future__ import annotations

import codecs
import os
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from koebin.engine import limits
from koebin.engine.errors import InvalidScript, InvalidText
from koebin.engine.text.checks import MAX_CHARS, MAX_LINE_CHARS
from koebin.producers.formats import encodings
from koebin.producers.formats.archive import open_archive
from koebin.producers.formats.file_kinds import BINARY_FORMATS, FORMATS, SUFFIXES, Format, sniff_bytes, sniff_text
from koebin.tasks.script import LeftOut

__all__ = ["FORMATS", "MAX_BYTES", "Format", "Source", "decode", "read_source", "source_from"]

MAX_BYTES: Final = limits.INPUT_BYTES
_UNICODE_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_JAPANESE: Final = {"Shift_JIS": "cp932", "EUC-JP": "euc-jp"}
_SELF_TOLD: Final[frozenset[Format]] = frozenset(("html", "fb2", "csv", "tsv", "srt", "vtt", "json"))
"""Formats whose look tells a right encoding from a wrong one, or that say their encoding themselves."""
_WITHOUT_LINES: Final[frozenset[Format]] = frozenset(("html", "fb2", "ssml", "json"))
"""Formats whose lines are no lines of speech: programs write them without breaks."""
_XML_ENCODING: Final = re.compile(rb"""<\?xml[^>]{0,200}?encoding\s*=\s*["']([A-Za-z0-9_.:-]{1,40})["']""")
_AOZORA: Final = re.compile(
    r"［＃[^］\n]{1,200}］|^[ 　]*(?:翻訳の)?底本：|【テキスト中に現れる記号について】", re.MULTILINE
)
_JSON: Final = re.compile(
    r'\s*(?:\[\s*\{\s*"|\[\s*"(?:[^"\\\n]|\\.){0,200}"\s*(?:\]|,\s*["{\]])|\{\s*"(?:items|lines|texts|data|rows)"\s*:\s*\[)'
)
_PAGE: Final = re.compile(rb"\s*(?:<\?xml[^>]{0,200}>\s*)?(?:<!doctype\s+html\b|<html\b)", re.IGNORECASE)
_CONTROL: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_LINE_END: Final = re.compile("[\x85\v\u2028\u2029]")
_PAGE_END: Final = re.compile("\n?\f+\n?")
_HEAD: Final = 4096


@dataclass(frozen=True, slots=True)
class Source:
    """An input as it was found.

    Attributes:
        text: its text; "" for a format that is read from its bytes (``BINARY_FORMATS``).
        encoding: that it was written in: ``UTF-8``, ``UTF-16``, ``Shift_JIS``, ``EUC-JP`` or ``ISO-2022-JP``.
        path: where it came from, None for standard input.
        data: its bytes where the text is not all of it and no path leads there.
        left_out: control characters, which nothing is said for.
    """

    text: str
    format: Format
    encoding: str = "UTF-8"
    path: Path | None = None
    data: bytes = b""
    left_out: tuple[LeftOut, ...] = ()


def read_source(path: Path, format: Format | None = None) -> Source:  # noqa: A002
    """Read the file at ``path``; its content tells the format, else its name, unless ``format`` does.

    Raises:
        InvalidScript: no such file, a folder, a kind of file that is not read, or another encoding.
        InvalidText: empty, or a line that is too long, with line and column.
    """
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD)
            named = format or SUFFIXES.get(path.suffix.lower())
            kind = sniff_bytes(head, path) if format is None else format
            if kind in BINARY_FORMATS or (named in BINARY_FORMATS and _claims(head)):
                if os.fstat(file.fileno()).st_size > limits.BOOK_BYTES:
                    what = f"the file is larger than {limits.BOOK_BYTES >> 30} GB"
                    raise InvalidScript(what, str(path), "Split it into several jobs")
                return Source("", kind if kind in BINARY_FORMATS else named, path=path)  # type: ignore[arg-type]
            data = head + file.read(MAX_BYTES + 1 - len(head))
    except FileNotFoundError as error:
        raise InvalidScript("no such file", str(path), "Check the path") from error
    except OSError as error:
        raise InvalidScript(f"the file cannot be read ({error.strerror})", str(path)) from error
    return replace(source_from(data, named, explicit=format is not None), path=path)


def source_from(data: bytes, format: Format | None = None, *, explicit: bool = True) -> Source:  # noqa: A002
    """What ``data`` is; a format that is not ``explicit`` gives way to what the content shows.

    Raises:
        InvalidScript, InvalidText: see ``read_source``.
    """
    if len(data) > MAX_BYTES:
        raise InvalidScript(f"the file is larger than {MAX_BYTES >> 20} MB", hint="Split it into several jobs")
    kind = format if explicit and format else sniff_bytes(data)
    if kind in BINARY_FORMATS:
        return Source("", kind, data=data)
    if kind == "fb2" and data.startswith(b"PK\x03\x04"):
        data = _only_file(data)
    if kind is None and not explicit and _PAGE.match(data[:_HEAD]):
        kind = "html"
    text, encoding = _decoded(data, kind or format)
    text = text.lstrip("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    if not explicit or format is None:
        format = _format_of(text, format)  # noqa: A001
    if format == "jsonl":  # where every line stands for itself and is judged by itself
        if not text.strip():
            raise InvalidScript("the file is empty", hint="Give at least one line")
        return Source(text, format, encoding)
    text, left_out = without_controls(text)
    _check(text, lines=format not in _WITHOUT_LINES)
    return Source(text, format, encoding, left_out=left_out)


def without_controls(text: str) -> tuple[str, tuple[LeftOut, ...]]:
    """The text without control characters, and where they stood; a form feed is the end of a paragraph.

    Raises:
        InvalidText: so many that it is no text.
    """
    text = _LINE_END.sub("\n", text)
    text = _PAGE_END.sub(lambda found: "\n" * max(1, found[0].count("\n")), text)
    found = list(_CONTROL.finditer(text))
    if not found:
        return text, ()
    if len(found) > max(limits.UNREADABLE_FEWEST, limits.UNREADABLE_SHARE * len(text)):
        line, column = _position(text, found[0].start())
        value, hint = f"U+{ord(found[0][0]):04X}", "Remove it, or check that this is a text file"
        raise InvalidText("a control character", value, hint, line, column)
    left_out = []
    for match in found:
        line, column = _position(text, match.start())
        left_out.append(LeftOut(line, f"U+{ord(match[0]):04X}", "a control character", column))
    return _CONTROL.sub("", text), tuple(left_out)


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
    sniff_bytes(data)
    if b"\0" in data:
        line, column = _place(data, data.index(b"\0"))
        raise InvalidScript("not a text but a binary file", "", "Give a text file in UTF-8", line, column)
    try:
        return data.decode(), "UTF-8"
    except UnicodeDecodeError as error:
        return _decode_japanese(data, error)


def _decoded(data: bytes, format: Format | None) -> tuple[str, str]:  # noqa: A002
    if format == "html":
        from koebin.producers.formats.html import decode_html

        page, encoding = decode_html(data)
        return page, _NAMES.get(encoding.lower(), encoding)
    if format == "jsonl" and b"\0" not in data and not encodings.guess(data):
        return data.decode("utf-8", "surrogateescape"), "UTF-8"  # a bad byte is the error of its line
    if format not in _SELF_TOLD or b"\0" in data[:4]:
        return decode(data)
    declared = _XML_ENCODING.match(data)
    for name in filter(None, [declared[1].decode() if declared else "", encodings.guess(data)]):
        try:
            return encodings.decode(data, name), _NAMES.get(name.lower(), name)
        except (UnicodeDecodeError, LookupError):
            continue
    return decode(data)


_NAMES: Final = {
    "utf-8": "UTF-8", "utf-16-le": "UTF-16", "utf-16-be": "UTF-16", "cp932": "Shift_JIS", "euc-jp": "EUC-JP",
    "iso-2022-jp": "ISO-2022-JP",
}  # fmt: skip


def _format_of(text: str, named: Format | None) -> Format:
    """What the content shows, where the name leaves it open."""
    shown = sniff_text(text) if named in (None, "text", "ssml", "html", "fb2", "srt", "vtt", "csv", "tsv") else None
    if shown:
        return shown
    return _look(text) if named in (None, "text") else named


def _look(text: str) -> Format:
    if text.startswith("+++"):
        return "dialogue"
    if re.match(r'\s*\{\s*"[^"\n]{1,40}"\s*:.*\}\s*(?:\n|$)', text):
        return "jsonl"
    if _JSON.match(text):
        return "json"
    if table := _table_of(text.lstrip("\n").partition("\n")[0]):
        return table
    return "aozora" if _AOZORA.search(text) else "text"


def _table_of(row: str) -> Format | None:
    """The kind of table that begins with this row, if it does nothing but name columns."""
    from koebin.producers.formats.table import names_columns

    kinds: dict[str, Format] = {"\t": "tsv", ",": "csv", ";": "csv"}
    return next((kind for mark, kind in kinds.items() if mark in row and names_columns(row.split(mark))), None)


def _check(text: str, *, lines: bool) -> None:
    """Raises: InvalidText: empty, or too long, as a whole or, where ``lines`` count, in a line."""
    if not text.strip():
        raise InvalidText("the text is empty", hint="Give at least one word")
    if len(text) > MAX_CHARS:
        raise InvalidText(
            f"the text has {len(text)} characters, more than {MAX_CHARS}", hint="Split it into several jobs"
        )
    for number, line in enumerate(text.split("\n") if lines else (), start=1):
        if len(line) > MAX_LINE_CHARS:
            what = f"the line has {len(line)} characters, more than {MAX_LINE_CHARS}"
            hint = "Break it into shorter lines, or check that this is a text file"
            raise InvalidText(what, line[:40], hint, number, MAX_LINE_CHARS + 1)


def _only_file(data: bytes) -> bytes:
    with open_archive(data, "FB2 archive") as archive:
        names = archive.names()
        if len(names) != 1:
            raise InvalidScript("a ZIP file with several books", hint="Unpack it, and give one of them")
        return archive.read(names[0])


def _claims(data: bytes) -> bool:
    """Whether a file that is named as a binary one is not text instead."""
    return data.startswith((b"PK", b"%PDF")) or not data or b"\0" in data[:4096]


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
        text = encodings.decode(data, codec)
        if _AOZORA.search(text.replace("\r\n", "\n").replace("\r", "\n")):
            return text, name
        hint = f"It looks like {name}. Run: iconv -f {codec.upper()} -t UTF-8"
        break
    line, column = _place(data, error.start)
    value = f"byte 0x{data[error.start]:02x}"
    raise InvalidScript("the text is not UTF-8", value, hint, line, column) from error


def _kana_share(data: bytes, codec: str) -> float:
    """Share of hiragana among the characters; 0 if the bytes are not of that encoding."""
    try:
        text = encodings.decode(data, codec)
    except UnicodeDecodeError:
        return 0.0
    return sum("ぁ" <= character <= "ん" for character in text) / max(1, len(text))


def _place(data: bytes, offset: int) -> tuple[int, int]:
    """Line and column of a byte, the column in characters of what precedes it."""
    start = data.rfind(b"\n", 0, offset) + 1
    return data.count(b"\n", 0, offset) + 1, len(data[start:offset].decode(errors="replace")) + 1


def _position(text: str, offset: int) -> tuple[int, int]:
    return text.count("\n", 0, offset) + 1, offset - text.rfind("\n", 0, offset)
