"""ZIP archives from strangers: bounded sizes, two compression methods, names that meet however they are written."""

from __future__ import annotations

import io
import posixpath
import struct
import unicodedata
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from koebin.engine import limits
from koebin.engine.errors import InvalidScript

_METHODS: Final = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_METHOD_NAMES: Final = {zipfile.ZIP_BZIP2: "bzip2", zipfile.ZIP_LZMA: "LZMA"}
_HINT: Final = "Check that the file is whole"
BROKEN: Final = (
    zipfile.BadZipFile, zlib.error, struct.error, EOFError, NotImplementedError, ValueError, RuntimeError, IndexError,
)  # fmt: skip
"""What the standard library raises for archives whose fields lie."""


class Archive:
    """Files of an archive, each never more than it may hold; names are found by NFC, folded case and ``/``.

    Args:
        archive: an open ZIP file.
        what: what the archive is called in errors, such as "EPUB".
    """

    def __init__(self, archive: zipfile.ZipFile, what: str) -> None:
        self._archive = archive
        self._what = what
        infos = archive.infolist()
        if len(infos) > limits.ARCHIVE_FILES:
            raise InvalidScript(f"the {what} holds more than {limits.ARCHIVE_FILES} files", str(len(infos)))
        self._names: dict[str, zipfile.ZipInfo] = {}
        for info in infos:
            for name in _spellings(info):
                self._names.setdefault(key_of(name), info)
        self._total = 0

    def has(self, name: str) -> bool:
        """Whether there is a file of that name."""
        return key_of(name) in self._names

    def names(self) -> list[str]:
        """Every file as the archive spells it."""
        return [info.filename for info in self._archive.infolist() if not info.is_dir()]

    def is_encrypted(self, name: str) -> bool:
        """Whether the ZIP format's own encryption locks the file."""
        info = self._names.get(key_of(name))
        return info is not None and bool(info.flag_bits & 1)

    def read(self, name: str) -> bytes:
        """A file's bytes.

        Raises:
            InvalidScript: not there, encrypted, compressed in an unusual way, damaged, or too large.
        """
        info = self._names.get(key_of(name))
        if info is None:
            raise InvalidScript(f"the {self._what} lacks a file that it names", name, _HINT)
        if info.flag_bits & 1:
            raise InvalidScript(f"the {self._what} is encrypted", name, "Use one without copy protection")
        if info.compress_type not in _METHODS:
            method = _METHOD_NAMES.get(info.compress_type, f"method {info.compress_type}")
            raise InvalidScript(f"a file of the {self._what} is compressed with {method}", name, "Use deflate")
        room = limits.ARCHIVE_TOTAL_BYTES - self._total
        limit = min(limits.ARCHIVE_FILE_BYTES, room, max(1 << 20, info.compress_size * limits.ARCHIVE_RATIO))
        try:
            with self._archive.open(info) as file:
                data = file.read(limit + 1)  # what the header says of the size may be a lie
        except (*BROKEN, OSError) as error:
            raise InvalidScript(f"a file of the {self._what} is damaged", name, _HINT) from error
        self._total += len(data)
        if len(data) > limit:
            most = limits.ARCHIVE_FILE_BYTES >> 20
            raise InvalidScript(f"a file of the {self._what} is too large", name, f"Keep it under {most} MB")
        return data


@contextmanager
def open_archive(path: Path | bytes, what: str) -> Iterator[Archive]:
    """The archive at ``path``, or in these bytes.

    Raises:
        InvalidScript: no such file, or not a ZIP archive.
    """
    place = "" if isinstance(path, bytes) else str(path)
    try:
        archive = zipfile.ZipFile(io.BytesIO(path) if isinstance(path, bytes) else path)
    except FileNotFoundError as error:
        raise InvalidScript("no such file", place, "Check the path") from error
    except BROKEN as error:
        raise InvalidScript(f"not {_article(what)} {what}, or a broken one", place, _HINT) from error
    except OSError as error:
        raise InvalidScript(f"the file cannot be read ({error.strerror})", place) from error
    with archive:
        yield Archive(archive, what)


def key_of(name: str) -> str:
    """What two spellings of one name have in common: NFC, folded case, slashes."""
    path, mark, fragment = name.replace("\\", "/").partition("#")
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", path).casefold()) + mark + fragment


def resolve(base: str, href: str) -> str:
    """A relative path as a name in the archive; one that climbs out of it is in no archive."""
    return posixpath.normpath(posixpath.join(posixpath.dirname(base), href.replace("\\", "/"))).lstrip("/")


def _spellings(info: zipfile.ZipInfo) -> Iterator[str]:
    """The name, and what it is if the archive was made by a tool that wrote the bytes of its own encoding."""
    yield info.filename
    if info.flag_bits & 0x800 or info.filename.isascii():
        return
    try:
        raw = info.filename.encode("cp437")
    except UnicodeEncodeError:
        return
    for codec in ("utf-8", "cp932"):
        try:
            yield raw.decode(codec)
        except UnicodeDecodeError:
            continue


def _article(what: str) -> str:
    return "an" if what[0] in "AEIOU" else "a"
