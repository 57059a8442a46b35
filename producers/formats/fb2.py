"""FictionBook 2: sections as chapters, notes, cover, title and author. Source: http://www.fictionbook.org/"""

from __future__ import annotations

import base64
import binascii
from typing import Final

from koebin.producers.formats import safe_xml
from koebin.producers.formats.covers import MAX_COVER_BYTES, cover_from
from koebin.producers.formats.html import add_blocks
from koebin.producers.formats.safe_xml import Node
from koebin.producers.formats.script_builder import ScriptBuilder
from koebin.producers.formats.speaker_names import Cast
from koebin.producers.formats.xhtml import PageReader

_PARAGRAPHS: Final = frozenset(
    ("p", "v", "subtitle", "text-author", "date", "empty-line", "td", "th", "stanza", "cite")
)
_DEEPEST_LEVEL: Final = 6


def read_fb2(document: str, builder: ScriptBuilder, cast: Cast) -> None:
    """Add a book. Titles of its two outermost levels of sections are chapters; notes are read, their marks are not.

    Raises:
        InvalidScript: not well-formed, or nested too deeply.
    """
    book = _Book()
    safe_xml.parse(document, book, "the FB2", lenient=True)
    _describe(book, builder)
    add_blocks(book.pages.finish(), builder, cast)


class _Book(safe_xml.Handler):
    """Hands the bodies to a reader of pages, and keeps the description and the cover."""

    def __init__(self) -> None:
        super().__init__()
        self.pages = PageReader()
        self.description = Node("description", {})
        self.binaries: dict[str, list[str]] = {}
        self._nodes: list[Node] = []
        self._binary: list[str] | None = None
        self._body = self._depth_of_section = self._titles = 0

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        if tag == "description" or self._nodes:
            node = Node(tag, attributes) if self._nodes else self.description
            if self._nodes:
                self._nodes[-1].content.append(node)
            self._nodes.append(node)
        elif tag == "binary":
            self._binary = self.binaries.setdefault(attributes.get("id", ""), [])
        elif tag == "body":
            self._body += 1
        elif self._body:
            self._start_in_body(tag, attributes)

    def _start_in_body(self, tag: str, attributes: dict[str, str]) -> None:
        if tag == "section":
            self._depth_of_section += 1
            self.pages.start("div", attributes)
        elif tag == "title":
            self._titles += 1
            self.pages.start(f"h{min(_DEEPEST_LEVEL, self._depth_of_section + 1)}", attributes)
        elif tag in _PARAGRAPHS and self._titles:
            self.pages.characters("\u3000")
        elif tag in _PARAGRAPHS:
            self.pages.start("p", attributes)
        elif tag == "a":
            kinds = {"type": "noteref"} if attributes.get("type") == "note" else {}
            self.pages.start("a", {"href": attributes.get("href", ""), **kinds})
        elif tag != "image":
            self.pages.start("span", attributes)

    def end(self, tag: str) -> None:
        if self._nodes:
            self._nodes.pop()
        elif tag == "binary":
            self._binary = None
        elif tag == "body":
            self._body -= 1
        elif self._body:
            self._end_in_body(tag)

    def _end_in_body(self, tag: str) -> None:
        if tag == "section":
            self._depth_of_section -= 1
            self.pages.end("div")
        elif tag == "title":
            self._titles -= 1
            self.pages.end(f"h{min(_DEEPEST_LEVEL, self._depth_of_section + 1)}")
        elif tag in _PARAGRAPHS and not self._titles:
            self.pages.end("p")
        elif tag == "a":
            self.pages.end("a")
        elif tag not in _PARAGRAPHS and tag != "image":
            self.pages.end("span")

    def characters(self, content: str) -> None:
        if self._nodes:
            self._nodes[-1].content.append(content)
        elif self._binary is not None:
            if sum(map(len, self._binary)) < 2 * MAX_COVER_BYTES:
                self._binary.append(content)
        elif self._body:
            self.pages.characters(content)


def _describe(book: _Book, builder: ScriptBuilder) -> None:
    info = next((node for node in book.description.iter() if node.tag == "title-info"), None)
    if info is None:
        return
    authors: list[str] = []
    for node in info.children():
        if node.tag == "book-title":
            builder.title = " ".join(node.text().split())
        elif node.tag == "author":
            names = {child.tag: " ".join(child.text().split()) for child in node.children()}
            whole = [names[part] for part in ("first-name", "middle-name", "last-name") if names.get(part)]
            authors.append(" ".join(whole) or names.get("nickname", ""))
        elif node.tag == "sequence":
            builder.series, builder.volume = node.get("name"), node.get("number")
        elif node.tag == "coverpage":
            identity = next((each.get("href").lstrip("#") for each in node.iter() if each.tag == "image"), "")
            try:
                builder.cover = cover_from(base64.b64decode("".join(book.binaries.get(identity, ()))))
            except (binascii.Error, ValueError):
                builder.cover = None
    builder.author = "、".join(filter(None, authors))
