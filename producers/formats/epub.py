"""EPUB 2 and 3: chapters, cover, title, author, and ruby as readings.

Source: EPUB 3.3, https://www.w3.org/TR/epub-33/; EPUB 2.0.1 for ``toc.ncx``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final
from urllib.parse import unquote

from koebin.engine.errors import InvalidScript
from koebin.producers.formats import encodings
from koebin.producers.formats.archive import Archive, key_of, open_archive, resolve
from koebin.producers.formats.covers import cover_from
from koebin.producers.formats.epub_package import Item, read_package
from koebin.producers.formats.epub_reading_order import DRAWING, pages_in_order
from koebin.producers.formats.epub_table_of_contents import contents_of, is_contents_page
from koebin.producers.formats.safe_xml import Node, tree
from koebin.producers.formats.script_builder import ScriptBuilder
from koebin.producers.formats.speaker_names import Cast
from koebin.producers.formats.xhtml import LeftOut, Page, read_drawing, read_page
from koebin.tasks.script import Cover

_ENCODING: Final = re.compile(rb"""<\?xml[^>]{0,200}encoding\s*=\s*["']([A-Za-z0-9_.:-]{1,40})["']""")
_FONTS: Final = ("http://www.idpf.org/2008/embedding", "http://ns.adobe.com/pdf/enc#RC")
_PROTECTIONS: Final = (
    ("META-INF/license.lcpl", "Readium LCP"),
    ("META-INF/sinf.xml", "Apple FairPlay"),
    ("META-INF/rights.xml", "Adobe ADEPT"),
    ("rights.xml", "Kobo DRM"),
)
_BAD_SHARE: Final = 0.05


def read_epub(path: Path | bytes, builder: ScriptBuilder, cast: Cast) -> None:
    """Add a book. Its table of contents makes the chapters; without one, its headings of the two highest levels do.

    Pages outside the reading order (``linear="no"``) and tables of contents are not read. A page that is missing or
    cannot be read is left out and told.

    Raises:
        InvalidScript: not an EPUB, or protected against copying.
    """
    with open_archive(path, "EPUB") as archive:
        book = _Book(archive)
        builder.title, builder.author = book.package.title, book.package.author
        builder.series, builder.volume = book.package.series, book.package.volume
        builder.cover = book.cover()
        book.read(builder, cast)


class _Book:
    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        self.package = read_package(archive, _text_of)
        self._pages = list(pages_in_order(self.package))
        _refuse_protection(archive, [self.package.path, *(item.path for item in self._pages)])
        self._contents, self._declared = contents_of(archive, self.package, _text_of)
        self._spine = frozenset(key_of(item.path) for item in self._pages)
        self._places: dict[str, list[str]] = {}
        for link in self._contents:
            path, mark, _ = link.partition("#")
            if mark:
                self._places.setdefault(path, []).append(link)
        self._sheets: dict[str, str] = {}
        self._paragraph = 0
        self._levels_of_chapters: set[int] = set()

    def read(self, builder: ScriptBuilder, cast: Cast) -> None:
        self._levels_of_chapters = set() if self._contents else self._levels()
        for reason, name in self.package.problems:
            builder.leave_out(reason, name)
        skipped: list[tuple[Item, Page]] = []
        pictures = False
        for item in self._pages:
            try:
                page = self._page(item)
            except InvalidScript as error:
                builder.leave_out(f"a page cannot be read: {error.what}", error.value or item.path, self._paragraph + 1)
                continue
            pictures = pictures or bool(page.picture)
            if self._is_contents(item, page):
                skipped.append((item, page))
            else:
                self._add(item, page, builder, cast)
        if not builder.speaks:  # a book that is nothing but such a page
            for item, page in skipped:
                self._add(item, page, builder, cast)
        if pictures and not builder.speaks:
            raise InvalidScript("the book has pictures and no text", "", "Run a text recognition over its pictures")

    def _add(self, item: Item, page: Page, builder: ScriptBuilder, cast: Cast) -> None:
        first = self._paragraph + 1
        place = key_of(item.path)
        self._open_chapters(builder, [*self._without_place(place, page), place])
        for block in page.blocks:
            self._paragraph += 1
            self._open_chapters(builder, (f"{place}#{identity}" for identity in block.ids))
            if block.level in self._levels_of_chapters:
                builder.chapter(block.text.strip())
            builder.add(block.text, cast.narrator, readings=block.readings, line=self._paragraph)
        self._open_chapters(builder, (f"{place}#{identity}" for identity in page.ids))
        for left in page.left_out:
            what = f"{item.path}: {left.text}" if left.text else item.path
            builder.leave_out(left.reason, what, first + left.block)
        builder.end("paragraph")

    def cover(self) -> Cover | None:
        """The cover if it is a picture that audio files can hold: as the package marks it, else by its name."""
        marked = self.package.cover_candidates()
        for item in marked:
            if cover := self._picture(item.path):
                return cover
        for path in self.package.cover_pages:
            try:
                picture = read_page(_text_of(self._archive, path), path).picture
            except InvalidScript:
                continue
            if picture and (cover := self._picture(resolve(path, _unquoted(picture)))):
                return cover
        return None

    def _picture(self, path: str) -> Cover | None:
        try:
            return cover_from(self._archive.read(path))
        except InvalidScript:
            return None

    def _page(self, item: Item) -> Page:
        text, bad = _decoded(self._archive.read(item.path), item.path)
        if item.media_type == DRAWING:
            return read_drawing(text, item.path)
        page = read_page(text, item.path, lambda href: self._sheet(resolve(item.path, _unquoted(href))))
        if bad:
            page.left_out.append(LeftOut(0, f"{bad} characters cannot be decoded", ""))
        return page

    def _sheet(self, path: str) -> str:
        """A style sheet, "" where there is none; those of a whole book are read once."""
        if path not in self._sheets:
            try:
                self._sheets[path] = _text_of(self._archive, path)
            except InvalidScript:
                self._sheets[path] = ""
        return self._sheets[path]

    def _is_contents(self, item: Item, page: Page) -> bool:
        if "nav" in item.properties and sum(len(block.text) for block in page.blocks) < 200:
            return True
        declared, titles = key_of(item.path) in self._declared, frozenset(self._contents.values())
        return is_contents_page(item.path, page, declared=declared, spine=self._spine, titles=titles)

    def _without_place(self, place: str, page: Page) -> list[str]:
        """Links to places that the page does not have; their chapter begins with the page."""
        ids = {identity for block in page.blocks for identity in block.ids} | set(page.ids)
        return [link for link in self._places.get(place, ()) if link.partition("#")[2] not in ids][:1]

    def _open_chapters(self, builder: ScriptBuilder, links: Iterable[str]) -> None:
        for link in links:
            if link in self._contents:
                builder.chapter(self._contents[link])

    def _levels(self) -> set[int]:
        found: set[int] = set()
        for item in self._pages:
            try:
                found |= {block.level for block in self._page(item).blocks}
            except InvalidScript:
                continue
        return set(sorted(found - {0})[:2])


def _text_of(archive: Archive, name: str) -> str:
    """A file of the book as text, whatever cannot be decoded replaced."""
    return _decoded(archive.read(name), name)[0]


def _decoded(data: bytes, name: str) -> tuple[str, int]:
    """The text, and how many characters could not be decoded.

    Raises:
        InvalidScript: too many: it is something else.
    """
    declared = _ENCODING.match(data.removeprefix(b"\xef\xbb\xbf").lstrip())
    names = [
        encodings.bom_encoding(data),
        declared[1].decode() if declared else "utf-8",
        encodings.guess(data),
        "utf-8",
    ]
    for encoding in filter(None, names):
        try:
            return encodings.decode(data, encoding), 0
        except (UnicodeDecodeError, LookupError):
            continue
    encoding = next(name for name in names if name and encodings.known(name))
    text = encodings.decode(data, encoding, replace=True)
    bad = text.count(encodings.REPLACEMENT)
    if bad > _BAD_SHARE * len(text):
        raise InvalidScript(f"a page of the EPUB is not {encoding}", name, "Check that the file is a whole EPUB")
    return text.replace(encodings.REPLACEMENT, ""), bad


def _refuse_protection(archive: Archive, wanted: list[str]) -> None:
    """Fonts and pictures may be scrambled; a book whose text is encrypted cannot be read.

    Raises:
        InvalidScript: something that is to be read is encrypted; names the protection.
    """
    read = {key_of(path) for path in wanted}
    locked = next((path for path in wanted if archive.is_encrypted(path)), "")
    if not locked and archive.has("META-INF/encryption.xml"):
        locked = next((name for name in _encrypted(archive) if key_of(name) in read), "")
    if locked:
        kind = next((name for path, name in _PROTECTIONS if archive.has(path)), "")
        what = f"the EPUB is protected with {kind}" if kind else "the EPUB is encrypted"
        raise InvalidScript(what, locked, "Use one without copy protection")


def _encrypted(archive: Archive) -> Iterator[str]:
    """Names of the files that are encrypted, other than scrambled fonts."""
    root: Node = tree(_text_of(archive, "META-INF/encryption.xml"), "META-INF/encryption.xml")
    for data in root.iter():
        if data.tag != "encrypteddata":
            continue
        algorithms = [node.get("algorithm") for node in data.iter() if node.tag == "encryptionmethod"]
        if algorithms and algorithms[0] in _FONTS:
            continue
        yield from (resolve("", _unquoted(node.get("uri"))) for node in data.iter() if node.tag == "cipherreference")


def _unquoted(href: str) -> str:
    return unquote(href.partition("#")[0])
