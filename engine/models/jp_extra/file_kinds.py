"""The kind of a voice's file, by its content and never by its name."""

from __future__ import annotations

from pathlib import Path
from typing import Final, Literal

from koebin.engine.errors import BackendMissing, InvalidCheckpoint
from koebin.engine.models.jp_extra.configuration import LFS_POINTER
from koebin.engine.models.jp_extra.pickles import PICKLE_HINT

FileKind = Literal["safetensors", "onnx", "pickle", "pointer", "zip", "page", "json", "empty", "cut", "unknown"]

_START: Final = 512
_SMALLEST_HEADER: Final = 2
_LARGEST_HEADER: Final = 100_000_000
"""Bytes; the format's own bound."""

_REFUSALS: Final[dict[FileKind, tuple[str, str]]] = {
    "pickle": ("the file is a PyTorch pickle", PICKLE_HINT),
    "zip": ("the file is a ZIP archive, or a PyTorch pickle", f"Unpack an archive. {PICKLE_HINT}"),
    "pointer": (
        "the file is a Git LFS pointer, not the file itself",
        "Run git lfs pull, or download the file itself",
    ),
    "page": ("the file is a web page, not a voice", "Download the file itself, not the page about it"),
    "json": ("the file is JSON, not a voice", "Name the folder that it lies in"),
    "empty": ("the file is empty", "Download it again"),
    "cut": ("the file is cut off in the header of its safetensors", "Download it again"),
    "unknown": (
        "the file is neither safetensors nor ONNX",
        "Use an .aivm or .aivmx file, or a folder of a Style-Bert-VITS2 JP-Extra voice",
    ),
}


def kind_of(path: Path) -> FileKind:
    """The kind of a file.

    Raises:
        BackendMissing: there is no such file.
        InvalidCheckpoint: it cannot be read.
    """
    try:
        if not path.exists():
            raise BackendMissing("there is no such file", str(path), "Check the path")
        if not path.is_file():
            raise InvalidCheckpoint("not a regular file", str(path))
        size = path.stat().st_size
        with path.open("rb") as file:
            start = file.read(_START)
    except OSError as error:
        raise InvalidCheckpoint(f"the file cannot be read ({error.strerror})", str(path)) from error
    return _kind(start, size)


def _kind(start: bytes, size: int) -> FileKind:
    if not start:
        return "empty"
    if start.startswith(LFS_POINTER):
        return "pointer"
    if start.startswith(b"PK\x03\x04"):
        return "zip"
    header = int.from_bytes(start[:8], "little")
    if len(start) > 8 and start[8:9] == b"{" and _SMALLEST_HEADER <= header <= size - 8:
        return "safetensors"
    if start[8:10] == b'{"' and size - 8 < header <= _LARGEST_HEADER:
        return "cut"
    if start[:1] == b"\x80" and start[1:2] in b"\x02\x03\x04\x05":
        return "pickle"
    text = start.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if text.startswith((b"<!doctype", b"<html", b"<?xml")):
        return "page"
    if text.startswith((b"{", b"[")):
        return "json"
    # ModelProto begins with its IR version, a small number in field 1.
    return "onnx" if start[:1] == b"\x08" and 0 < start[1] < 0x40 else "unknown"


def refuse(path: Path, kind: FileKind) -> InvalidCheckpoint:
    """The error for a file that holds no voice."""
    what, hint = _REFUSALS.get(kind, _REFUSALS["unknown"])
    return InvalidCheckpoint(what, str(path), hint)
