"""EPUB 2 and 3: chapters, cover, title, author, and ruby as readings.

Source: EPUB 3.3, https://www.w3.org/TR/epub-33/; EPUB 2.0.1 for ``toc.ncx``.
"""

from __future__ import annotations

import codecs
import posixpath
import re
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Final
from urllib.parse import unquote
from xml.etree.ElementTree import Element, ParseError

import defusedxml.ElementTree
from defusedxml.common import DefusedXmlException

from koebin.engine.errors import InvalidScript, InvalidText
from koebin.engine.text.characters import is_speech
from koebin.engine.text.checks import check_text
from koebin.producers.formats.builder import ScriptBuilder
from koebin.producers.formats.voice import Cast
from koebin.producers.formats.xhtml import Block, read_page
from koebin.tasks.script import Cover

MAX_FILES: Final = 20_000
MAX_FILE_BYTES: Final = 32 << 20
MAX_TOTAL_BYTES: Final = 512 << 20
MAX_RATIO: Final = 200
"""A page of text shrinks to a tenth; what shrinks to less than this was made to burst."""
_COVERS: Final = {"image/jpeg": b"\xff\xd8\xff", "image/png": b"\x89PNG\r\n\x1a\n"}
_FONTS: Final = ("http://www.idpf.org/2008/embedding", "http://ns.adobe.com/pdf/enc#RC")
_ENCODING: Final = re.compile(rb"""<\?xml[^>]{0,200}encoding\s*=\s*["']([A-Za-z0-9_.:-]{1,40})["']""")
_BREAK_HINT: Final = "Check that the file is a whole EPUB"


def read_epub(path: Path, builder: ScriptBuilder, cast: Cast) -> None:
    """Add a book. Its table of contents makes the chapters; without one, its headings of the two highest levels do.

    Pages outside the reading order (``linear="no"``) and the table of contents itself are not read.

    Raises:
        InvalidScript: not an EPUB, broken, encrypted, or made to burst.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            _read(_Archive(archive), builder, cast)
    except FileNotFoundError as error:
        raise InvalidScript("no such file", str(path), "Check the path") from error
    except OSError as error:
        raise InvalidScript(f"the file cannot be read ({error.strerror})", str(path)) from error
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, ValueError) as error:
        raise InvalidScript("not an EPUB, or a broken one", str(path), _BREAK_HINT) from error


@dataclass(slots=True)
class _Item:
    path: str
    media_type: str
    properties: frozenset[str]


@dataclass(slots=True)
class _Package:
    """What the package document says."""

    title: str = ""
    author: str = ""
    items: dict[str, _Item] = field(default_factory=dict)
    spine: list[_Item] = field(default_factory=list)
    cover: _Item | None = None
    contents: _Item | None = None


class _Archive:
    """The files of an EPUB, each read once and never more than it may hold."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive
        self._names = {info.filename: info for info in archive.infolist()}
        self._total = 0
        if len(self._names) > MAX_FILES:
            raise InvalidScript(f"the EPUB holds more than {MAX_FILES} files", str(len(self._names)))

    def has(self, name: str) -> bool:
        return name in self._names

    def read(self, name: str) -> bytes:
        info = self._names.get(name)
        if info is None:
            raise InvalidScript("the EPUB lacks a file that it names", name, _BREAK_HINT)
        if info.flag_bits & 1:
            raise InvalidScript("the EPUB is encrypted", name, "Use one without copy protection")
        limit = min(MAX_FILE_BYTES, MAX_TOTAL_BYTES - self._total, max(1 << 20, info.compress_size * MAX_RATIO))
        with self._archive.open(info) as file:
            data = file.read(limit + 1)  # what the header says of the size may be a lie
        self._total += len(data)
        if len(data) > limit:
            raise InvalidScript("a file of the EPUB is too large", name, f"Keep it under {MAX_FILE_BYTES >> 20} MB")
        return data

    def text(self, name: str) -> str:
        data = self.read(name)
        if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            encoding = "utf-16"
        else:
            declared = _ENCODING.match(data.removeprefix(codecs.BOM_UTF8).lstrip())
            encoding = declared[1].decode() if declared else "utf-8"
        try:
            return data.decode("utf-8-sig" if encoding.lower() == "utf-8" else encoding)
        except (UnicodeDecodeError, LookupError) as error:
            raise InvalidScript(f"a page of the EPUB is not {encoding}", name, _BREAK_HINT) from error

    def tree(self, name: str) -> Element:
        try:
            tree: Element = defusedxml.ElementTree.fromstring(self.read(name))
        except DefusedXmlException as error:
            raise InvalidScript("a file of the EPUB declares entities", name, "Remove the declarations") from error
        except (ParseError, LookupError) as error:
            line, column = getattr(error, "position", (0, -1))
            raise InvalidScript("a file of the EPUB is not XML", name, _BREAK_HINT, line, column + 1) from error
        return tree


def _read(archive: _Archive, builder: ScriptBuilder, cast: Cast) -> None:
    _refuse_encryption(archive)
    package = _package(archive)
    builder.title, builder.author = package.title, package.author
    builder.cover = _cover(archive, package)
    contents = dict(_contents(archive, package))
    pages = [item for item in package.spine if "nav" not in item.properties]
    levels = set() if contents else _levels(archive, pages)
    paragraphs = count(1)
    for item in pages:
        _add_page(archive, item, contents, levels, paragraphs, builder, cast)


def _add_page(
    archive: _Archive,
    item: _Item,
    contents: dict[str, str],
    levels: set[int],
    paragraphs: Iterator[int],
    builder: ScriptBuilder,
    cast: Cast,
) -> None:
    """Add a page; a book has no lines, so its paragraphs are counted instead."""
    if item.path in contents:
        builder.chapter(contents[item.path])

    def add(block: Block) -> None:
        for identity in block.ids:
            if (link := f"{item.path}#{identity}") in contents:
                builder.chapter(contents[link])
        if block.level in levels:
            builder.chapter(block.text.strip())
        _check(block.text, item.path)
        builder.add(block.text, cast.narrator, readings=block.readings, line=next(paragraphs))

    read_page(archive.text(item.path), add, item.path)
    builder.end("paragraph")


def _check(text: str, page: str) -> None:
    """A book has no lines to point at: name the page and show the paragraph's beginning."""
    if not any(is_speech(character) for character in text):
        return
    try:
        check_text(text)
    except InvalidText as error:
        what = f"{page}: {error.what} in the paragraph {text[:20]!r}"
        raise InvalidText(what, error.value, error.hint) from error


def _levels(archive: _Archive, pages: list[_Item]) -> set[int]:
    found: set[int] = set()
    for item in pages:
        read_page(archive.text(item.path), lambda block: found.add(block.level), item.path)
    return set(sorted(found - {0})[:2])


def _refuse_encryption(archive: _Archive) -> None:
    """Fonts may be scrambled; a book that is encrypted cannot be read."""
    if archive.has("META-INF/rights.xml"):
        raise InvalidScript("the EPUB is encrypted", "META-INF/rights.xml", "Use one without copy protection")
    if not archive.has("META-INF/encryption.xml"):
        return
    for element in archive.tree("META-INF/encryption.xml").iter():
        if _local(element) == "encryptionmethod" and element.get("Algorithm") not in _FONTS:
            raise InvalidScript("the EPUB is encrypted", "META-INF/encryption.xml", "Use one without copy protection")


def _package(archive: _Archive) -> _Package:
    roots = [e.get("full-path", "") for e in archive.tree("META-INF/container.xml").iter() if _local(e) == "rootfile"]
    if not roots:
        raise InvalidScript("the EPUB names no package", "META-INF/container.xml", _BREAK_HINT)
    tree, package = archive.tree(roots[0]), _Package()
    authors: list[str] = []
    cover_id = ncx_id = ""
    for element in tree.iter():
        match _local(element):
            case "title" if not package.title:
                package.title = _words(element)
            case "creator" if _words(element):
                authors.append(_words(element))
            case "meta" if element.get("name") == "cover":
                cover_id = element.get("content", "")
            case "item":
                path = _resolve(roots[0], element.get("href", ""))
                properties = frozenset(element.get("properties", "").split())
                package.items[element.get("id", "")] = _Item(path, element.get("media-type", ""), properties)
            case "spine":
                ncx_id = element.get("toc", "")
            case "itemref" if element.get("linear") != "no":
                package.spine.append(_spine_item(package, element.get("idref", "")))
    package.author = "、".join(dict.fromkeys(authors))
    marked = [item for item in package.items.values() if "cover-image" in item.properties]
    package.cover = marked[0] if marked else package.items.get(cover_id)
    package.contents = _contents_item(package, ncx_id)
    return package


def _contents_item(package: _Package, ncx_id: str) -> _Item | None:
    """The navigation document of EPUB 3, else the NCX of EPUB 2."""
    items = list(package.items.values())
    navigation = [item for item in items if "nav" in item.properties]
    named = [package.items[ncx_id]] if ncx_id in package.items else []
    ncx = [item for item in items if item.media_type == "application/x-dtbncx+xml"]
    return next(iter([*navigation, *named, *ncx]), None)


def _spine_item(package: _Package, identity: str) -> _Item:
    if identity not in package.items:
        raise InvalidScript("the reading order names a page that is not there", identity, _BREAK_HINT)
    return package.items[identity]


def _contents(archive: _Archive, package: _Package) -> Iterator[tuple[str, str]]:
    """Link (``page`` or ``page#id``) and title of every chapter, the first title of a link first."""
    if package.contents is None or not archive.has(package.contents.path):
        return
    tree, base = archive.tree(package.contents.path), package.contents.path
    links = _ncx_links(tree) if _local(tree) == "ncx" else _nav_links(tree)
    seen: set[str] = set()
    for href, title in links:
        link = _resolve(base, href)
        if title and link not in seen:
            seen.add(link)
            yield link, title


def _nav_links(tree: Element) -> Iterator[tuple[str, str]]:
    for nav in tree.iter():
        kind = next((value for key, value in nav.attrib.items() if key.endswith("type")), "toc")
        if _local(nav) == "nav" and "toc" in kind.split():
            yield from ((link.get("href", ""), _words(link)) for link in nav.iter() if _local(link) == "a")
            return


def _ncx_links(tree: Element) -> Iterator[tuple[str, str]]:
    for point in tree.iter():
        if _local(point) == "navpoint":
            label = next((_words(child) for child in point if _local(child) == "navlabel"), "")
            yield next((child.get("src", "") for child in point if _local(child) == "content"), ""), label


def _cover(archive: _Archive, package: _Package) -> Cover | None:
    """The cover if it is a picture that audio files can hold."""
    if package.cover is None or not archive.has(package.cover.path):
        return None
    data = archive.read(package.cover.path)
    if data.startswith(_COVERS["image/jpeg"]):
        return Cover(data, "image/jpeg")
    return Cover(data, "image/png") if data.startswith(_COVERS["image/png"]) else None


def _resolve(base: str, href: str) -> str:
    """A link as a name in the archive, with its fragment; names that climb out of it are in no archive."""
    path, mark, fragment = href.partition("#")
    joined = posixpath.normpath(posixpath.join(posixpath.dirname(base), unquote(path))) if path else base
    return f"{joined}#{unquote(fragment)}" if mark and fragment else joined


def _local(element: Element) -> str:
    return element.tag.rsplit("}", 1)[-1].lower()


def _words(element: Element) -> str:
    """The text of an element without its ruby."""
    for each in list(element.iter()):
        if _local(each) in ("rt", "rp"):
            each.text = None
            del each[:]
    return " ".join("".join(element.itertext()).split())
