"""Word documents: paragraphs, headings by their style, ruby as readings, footnotes.

By hand for a reason: the libraries for DOCX know no ruby, and do not bound what an archive may unpack to.
Source: ECMA-376, part 1 (WordprocessingML).
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from koebin.engine.errors import InvalidScript
from koebin.producers.formats import encodings, safe_xml
from koebin.producers.formats.archive import Archive, open_archive
from koebin.producers.formats.html import add_blocks
from koebin.producers.formats.safe_xml import Node, tree
from koebin.producers.formats.script_builder import ScriptBuilder
from koebin.producers.formats.speaker_names import Cast
from koebin.producers.formats.xhtml import PageReader

_HEADING: Final = re.compile(r"(?:heading|見出し|överskrift|titre)\s*([1-6])", re.IGNORECASE)
_TITLE: Final = re.compile(r"title|表題|タイトル", re.IGNORECASE)
_CONTENTS: Final = re.compile(r"toc\s*[0-9]|toc heading|目次.*", re.IGNORECASE)
_SILENT: Final = frozenset(
    ("deltext", "instrtext", "fallback", "del", "movefrom", "ppr", "sectpr", "tblpr", "tcpr", "comment")
)
_FALSE: Final = frozenset(("0", "false", "off"))


def read_docx(file: Path | bytes, builder: ScriptBuilder, cast: Cast) -> None:
    """Add a document. Headings of its two highest levels become chapters; deleted and hidden text is not read.

    Raises:
        InvalidScript: not a DOCX, or a broken one.
    """
    with open_archive(file, "DOCX") as archive:
        levels = _styles(archive)
        body = _Body(levels)
        safe_xml.parse(_text(archive, "word/document.xml"), body, "the DOCX", lenient=True)
        for name in ("word/footnotes.xml", "word/endnotes.xml"):
            if archive.has(name):
                try:
                    safe_xml.parse(_text(archive, name), body, name, lenient=True)
                except InvalidScript as error:
                    builder.leave_out(f"notes cannot be read: {error.what}", name)
        _describe(archive, builder)
    add_blocks(body.pages.finish(), builder, cast)


class _Body(safe_xml.Handler):
    def __init__(self, levels: dict[str, int]) -> None:
        super().__init__()
        self.pages = PageReader()
        self._levels = levels
        self._silent: list[str] = []
        self._open: list[str] = []
        self._texts = 0
        self._contents = 0
        self._hidden = False
        self._separator = False
        self._ruby: dict[str, str] | None = None
        self._ruby_part = "rubybase"

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        if tag == "pstyle" and self._open and self._silent == ["ppr"]:
            self._style(attributes.get("val", ""))
        if tag == "outlinelvl" and self._open and self._silent == ["ppr"] and attributes.get("val", "9").isdigit():
            self._restyle(int(attributes["val"]) + 1)
        if self._silent or tag in _SILENT:
            self._silent.append(tag)
            return
        match tag:
            case "footnote" | "endnote":
                self._separator = attributes.get("type", "") in (
                    "separator",
                    "continuationseparator",
                    "continuationnotice",
                )
            case "p":
                self.pages.start("p", {})
                self._open.append("p")
                self._contents = 0
            case "r":
                self._hidden = False
            case "vanish" | "webhidden":
                self._hidden = attributes.get("val", "true").lower() not in _FALSE
            case "ruby":
                self._ruby = {"rt": "", "rubybase": ""}
            case "rt" | "rubybase" if self._ruby is not None:
                self._ruby_part = tag
            case "t":
                self._texts += 1
            case "tab" | "ptab":
                self.pages.characters(" ")
            case "br" | "cr":
                self.pages.start("br", {})
                self.pages.end("br")
            case "nobreakhyphen":
                self.pages.characters("-")

    def end(self, tag: str) -> None:
        if self._silent:
            self._silent.pop()
            return
        match tag:
            case "p" if self._open:
                self.pages.end(self._open.pop())
            case "ruby" if self._ruby is not None:
                self._end_ruby(self._ruby)
                self._ruby = None
            case "t":
                self._texts -= 1
            case "r":
                self._hidden = False
            case "footnote" | "endnote":
                self._separator = False

    def characters(self, content: str) -> None:
        if self._texts and not (self._silent or self._hidden or self._contents or self._separator):
            if self._ruby is not None:
                self._ruby[self._ruby_part] += content
            else:
                self.pages.characters(content)

    def _end_ruby(self, ruby: dict[str, str]) -> None:
        """The reading stands before its word in Word, and after it on a page."""
        self.pages.start("ruby", {})
        self.pages.characters(ruby["rubybase"])
        self.pages.start("rt", {})
        self.pages.characters(ruby["rt"])
        self.pages.end("rt")
        self.pages.end("ruby")

    def _style(self, identity: str) -> None:
        level = self._levels.get(identity, 0)
        self._contents = level < 0
        if level > 0:
            self._restyle(level)

    def _restyle(self, level: int) -> None:
        if 1 <= level <= 6 and self._open[-1] == "p":
            self.pages.start(f"h{level}", {})
            self._open[-1] = f"h{level}"


def _styles(archive: Archive) -> dict[str, int]:
    """Level of a heading by the id of its style; -1 for the lines of a table of contents."""
    levels: dict[str, int] = {}
    if not archive.has("word/styles.xml"):
        return levels
    try:
        root = tree(_text(archive, "word/styles.xml"), "word/styles.xml")
    except InvalidScript:
        return levels
    based: dict[str, str] = {}
    for style in root.iter():
        if style.tag != "style" or style.get("type", "paragraph") != "paragraph":
            continue
        identity = style.get("styleid")
        name = _value(style, "name")
        based[identity] = _value(style, "basedon")
        outline = next((node.get("val") for node in style.iter() if node.tag == "outlinelvl"), "")
        if _CONTENTS.fullmatch(name):
            levels[identity] = -1
        elif found := _HEADING.fullmatch(name):
            levels[identity] = int(found[1])
        elif _TITLE.fullmatch(name):
            levels[identity] = 1
        elif outline.isdigit() and int(outline) < 6:
            levels[identity] = int(outline) + 1
    for identity in list(based):
        parent, steps = based[identity], 0
        while identity not in levels and parent and steps < 20:
            if parent in levels:
                levels[identity] = levels[parent]
            parent, steps = based.get(parent, ""), steps + 1
    return levels


def _value(node: Node, name: str) -> str:
    return next((child.get("val") for child in node.children() if child.tag == name), "")


def _describe(archive: Archive, builder: ScriptBuilder) -> None:
    if not archive.has("docProps/core.xml"):
        return
    try:
        root = tree(_text(archive, "docProps/core.xml"), "docProps/core.xml")
    except InvalidScript:
        return
    for node in root.iter():
        said = " ".join(node.text().split())
        if node.tag == "title":
            builder.title = said
        elif node.tag == "creator":
            builder.author = said


def _text(archive: Archive, name: str) -> str:
    data = archive.read(name)
    return encodings.decode(data, encodings.bom_encoding(data) or "utf-8", replace=True)
