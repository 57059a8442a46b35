"""Kinds of files by their first bytes: those that are read, and those that are refused, each with what to do."""

from __future__ import annotations

import io
import re
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, get_args

from koebin.engine.errors import InvalidScript
from koebin.producers.formats.archive import BROKEN

Format = Literal[
    "text", "aozora", "markdown", "dialogue", "jsonl", "json", "csv", "tsv", "srt", "vtt", "ssml", "html", "fb2",
    "epub", "docx", "pdf",
]  # fmt: skip
FORMATS: Final[tuple[Format, ...]] = get_args(Format)
BINARY_FORMATS: Final[frozenset[Format]] = frozenset(("epub", "docx", "pdf"))

SUFFIXES: Final[dict[str, Format]] = {
    ".txt": "text",
    ".text": "text",
    ".md": "markdown",
    ".markdown": "markdown",
    ".dialogue": "dialogue",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "json",
    ".csv": "csv",
    ".tsv": "tsv",
    ".tab": "tsv",
    ".srt": "srt",
    ".vtt": "vtt",
    ".ssml": "ssml",
    ".xml": "ssml",
    ".html": "html",
    ".htm": "html",
    ".xhtml": "html",
    ".fb2": "fb2",
    ".epub": "epub",
    ".docx": "docx",
    ".pdf": "pdf",
}


@dataclass(frozen=True, slots=True)
class _Refused:
    """A kind of file that is not read, by bytes at a place."""

    magic: bytes
    what: str
    hint: str
    offset: int = 0


_PICTURE: Final = "Run a text recognition over it, and give its text"
_SOUND: Final = "Give the text that is to be spoken"
_UNPACK: Final = "Unpack it, and give the file inside"
_OFFICE: Final = "Save it as DOCX, EPUB, HTML or text"
_REFUSED: Final = (
    _Refused(b"{\\rtf", "an RTF document", _OFFICE),
    _Refused(b"\xd0\xcf\x11\xe0", "an old office document", _OFFICE),
    _Refused(b"\x1f\x8b", "a gzip file", _UNPACK),
    _Refused(b"BZh", "a bzip2 file", _UNPACK),
    _Refused(b"\xfd7zXZ\0", "an xz file", _UNPACK),
    _Refused(b"\x28\xb5\x2f\xfd", "a Zstandard file", _UNPACK),
    _Refused(b"7z\xbc\xaf\x27\x1c", "a 7-Zip file", _UNPACK),
    _Refused(b"Rar!\x1a\x07", "a RAR file", _UNPACK),
    _Refused(b"ustar", "a tar file", _UNPACK, 257),
    _Refused(b"-lh5-", "an LZH file", _UNPACK, 2),
    _Refused(b"PK\x05\x06", "an empty ZIP file", "Give the file that belongs into it"),
    _Refused(b"\xff\xd8\xff", "a JPEG picture", _PICTURE),
    _Refused(b"\x89PNG", "a PNG picture", _PICTURE),
    _Refused(b"GIF8", "a GIF picture", _PICTURE),
    _Refused(b"II*\0", "a TIFF picture", _PICTURE),
    _Refused(b"MM\0*", "a TIFF picture", _PICTURE),
    _Refused(b"BM", "a BMP picture", _PICTURE),
    _Refused(b"WEBP", "a WebP picture", _PICTURE, 8),
    _Refused(b"ftypavif", "an AVIF picture", _PICTURE, 4),
    _Refused(b"ftypheic", "a HEIC picture", _PICTURE, 4),
    _Refused(b"AT&TFORM", "a DjVu document", _PICTURE),
    _Refused(b"WAVE", "a WAV file", _SOUND, 8),
    _Refused(b"ID3", "an MP3 file", _SOUND),
    _Refused(b"\xff\xfb", "an MP3 file", _SOUND),
    _Refused(b"fLaC", "a FLAC file", _SOUND),
    _Refused(b"OggS", "an Ogg file", _SOUND),
    _Refused(b"ftyp", "an MP4 file", _SOUND, 4),
    _Refused(b"\x1a\x45\xdf\xa3", "a Matroska or WebM file", _SOUND),
    _Refused(b"BOOKMOBI", "a Kindle book", "Convert it to EPUB with the tool you bought it for, if it may be", 60),
    _Refused(b"TPZ", "a Kindle book", "Give an EPUB"),
    _Refused(b"ITSF", "a compiled help file", "Convert it to EPUB or HTML"),
    _Refused(b"ITOLITLS", "a Microsoft Reader book", "Convert it to EPUB"),
    _Refused(b"%!PS", "a PostScript document", "Convert it to PDF"),
    _Refused(b"SQLite format 3", "a database", "Export its texts as CSV"),
    _Refused(b"\x7fELF", "a program", "Give a text file"),
    _Refused(b"MZ\x90", "a program", "Give a text file"),
    _Refused(b"bplist", "a property list or a web archive", "Save the page as HTML"),
)
_ZIPPED: Final = (
    ("word/document.xml", "docx"),
    ("META-INF/container.xml", "epub"),
)
_ZIP_REFUSED: Final = (
    ("xl/workbook.xml", "an Excel workbook", "Save the sheet as CSV"),
    ("ppt/presentation.xml", "a PowerPoint file", "Save its text, or export it as PDF"),
    ("content.xml", "an OpenDocument file", _OFFICE),
    ("Index/Document.iwa", "a Pages document", _OFFICE),
)

_CONTROLS: Final = re.compile(rb"[\x00-\x08\x0e-\x1f]")
_SRT: Final = re.compile(r"\s*(?:[0-9]{1,6}[ \t]*\r?\n)?[0-9]{1,3}:[0-9]{2}:[0-9]{2}[,.][0-9]{1,3}[ \t]*-->")
_LYRICS: Final = re.compile(r"(?:^\[[0-9]{1,3}:[0-9]{2}(?:[.:][0-9]{1,3})?\].*\s*){3}", re.MULTILINE)
_SBV: Final = re.compile(r"\s*[0-9]{1,2}:[0-9]{2}:[0-9]{2}\.[0-9]{3},[0-9]{1,2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}[ \t]*\n")
_FRAMES: Final = re.compile(r"(?:^(?:\{[0-9]{1,7}\}|\[[0-9]{1,7}\]){2}.*\s*){3}", re.MULTILINE)
_MIME: Final = re.compile(
    r"(?:From:|MIME-Version:|Return-Path:|Received:).{0,2000}?^Content-Type:", re.DOTALL | re.MULTILINE
)
_TEX: Final = re.compile(
    r"(?:[ \t]*(?:%.*)?\n|\\PassOptionsTo\w+(?:\{[^{}\n]*\}){2})*[ \t]*\\document(?:class|style)\b"
)
_ROOT: Final = re.compile(r"<(?![?!])(?:[\w.-]+:)?([A-Za-z][\w.-]*)")
_HTML: Final = re.compile(
    r"\s*(?:<\?xml[^>]{0,200}>\s*)?(?:<!--.{0,2000}?-->\s*)*(?:<!doctype\s+html\b|<html\b)", re.IGNORECASE | re.DOTALL
)
_ROOTS: Final[dict[str, Format]] = {"speak": "ssml", "fictionbook": "fb2", "html": "html"}
_ROOTS_REFUSED: Final = {
    "rss": ("a feed", "Name its address in a briefing"),
    "feed": ("a feed", "Name its address in a briefing"),
    "rdf": ("a feed", "Name its address in a briefing"),
    "sami": ("SAMI subtitles", "Convert them to SRT or WebVTT"),
    "opml": ("a list of feeds", "Name their addresses in a briefing"),
    "tt": ("TTML subtitles", "Convert them to SRT or WebVTT"),
    "svg": ("an SVG picture", _PICTURE),
    "package": ("the package of an EPUB", "Give the EPUB itself"),
    "ncx": ("a table of contents", "Give the EPUB itself"),
    "dtbook": ("a DAISY book", "Convert it to EPUB"),
}


def sniff_bytes(data: bytes, path: Path | None = None) -> Format | None:
    """The format of a file that is no text, None for one that may be text.

    Args:
        data: all of it, or its beginning if there is a ``path``.

    Raises:
        InvalidScript: of a kind that is not read, with what to do.
    """
    if b"%PDF-" in data[:1024] and not data[:1].isalpha():
        return "pdf"
    for kind in _REFUSED:
        if data.startswith(kind.magic, kind.offset) and not _is_text_after_all(kind, data):
            raise InvalidScript(f"not a text but {kind.what}", hint=kind.hint)
    return _sniff_zip(path or io.BytesIO(data), data) if data.startswith(b"PK\x03\x04") else None


def sniff_text(text: str) -> Format | None:
    """The format that a text's beginning gives away, None if it does not.

    Raises:
        InvalidScript: of a kind that is not read, with what to do.
    """
    start = text[:4000].lstrip("\ufeff")
    if start.startswith("{\\rtf"):
        raise InvalidScript("not a text but an RTF document", hint=_OFFICE)
    if re.match(r"WEBVTT(?:[ \t\r\n]|$)", start):
        return "vtt"
    if _SRT.match(start):
        return "srt"
    if start.lstrip().lower().startswith("[script info]"):
        raise InvalidScript("ASS or SSA subtitles", hint="Convert them to SRT or WebVTT")
    if _LYRICS.match(start):
        raise InvalidScript("lyrics with times", hint="Remove the times, or convert them to SRT")
    if _SBV.match(start) or _FRAMES.match(start):
        raise InvalidScript("subtitles that are not read", start.strip()[:40], "Convert them to SRT or WebVTT")
    if _MIME.match(start):
        raise InvalidScript("a mail or a web archive", hint="Save its text, or the page as HTML")
    if _TEX.match(start):
        raise InvalidScript("a TeX document", hint="Convert it to HTML, EPUB or Markdown, with pandoc for instance")
    if start.startswith("#!"):
        raise InvalidScript("a program", hint="Give a text file")
    if re.match(r"BEGIN:(?:VCARD|VCALENDAR)\s", start):
        raise InvalidScript("a calendar or an address book", hint="Export its texts as CSV")
    return _sniff_markup(start)


def _sniff_markup(start: str) -> Format | None:
    if _HTML.match(start):
        return "html"
    bare = start.lstrip()
    if not bare.startswith(
        ("<?xml", "<!DOCTYPE", "<speak", "<FictionBook", "<rss", "<feed", "<tt ", "<svg", "<ssml:", "<SAMI", "<opml")
    ):
        return None
    root = _ROOT.search(bare)
    name = root[1].lower() if root else ""
    if name in _ROOTS_REFUSED:
        what, hint = _ROOTS_REFUSED[name]
        raise InvalidScript(f"not a text but {what}", f"<{name}>", hint)
    return _ROOTS.get(name, "ssml")


def _is_text_after_all(kind: _Refused, data: bytes) -> bool:
    """Short magic that plain words may begin with: "BM", "MZ", "ID3"."""
    return len(kind.magic) <= 3 and kind.magic.isascii() and not _CONTROLS.search(data[:4096])


def _sniff_zip(file: Path | io.BytesIO, data: bytes) -> Format:
    try:
        with zipfile.ZipFile(file) as archive:
            names = archive.namelist()
            declared = archive.read("mimetype")[:100] if "mimetype" in names and len(names) < 100_000 else b""
    except (*BROKEN, OSError, KeyError) as error:
        if data[30:58] == b"mimetypeapplication/epub+zip":
            return "epub"
        raise InvalidScript(
            "not a text but a ZIP file, and a broken one", hint="Check that the file is whole"
        ) from error
    folded = {name.replace("\\", "/").casefold() for name in names}
    if declared.strip() == b"application/epub+zip":
        return "epub"
    for name, kind in _ZIPPED:
        if name.casefold() in folded:
            return kind  # type: ignore[return-value]
    for name, what, hint in _ZIP_REFUSED:
        if name.casefold() in folded:
            raise InvalidScript(f"not a text but {what}", hint=hint)
    if any(name.endswith(".opf") for name in folded):
        return "epub"
    if [name for name in folded if not name.endswith("/")] and all(name.endswith(".fb2") for name in folded):
        return "fb2"
    raise InvalidScript("not a text but a ZIP file", hint=_UNPACK)
