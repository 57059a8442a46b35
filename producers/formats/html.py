"""HTML as browsers read it: broken tags mended, the article found, its headings as chapters."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any, Final

from selectolax.lexbor import LexborHTMLParser

from koebin.engine import limits
from koebin.engine.errors import InvalidScript
from koebin.producers.formats import encodings
from koebin.producers.formats.safe_xml import sections
from koebin.producers.formats.script_builder import ScriptBuilder
from koebin.producers.formats.speaker_names import Cast
from koebin.producers.formats.xhtml import Page, PageReader

_TEXT: Final = "-text"
_EMPTY: Final = re.compile(r"<(a|span|p|div|title|script|style|i|b|em|strong|td|th)\b([^<>]{0,2000})/>")
_CHARSET: Final = re.compile(rb"""<meta\b[^>]{0,300}?charset\s*=\s*["']?\s*([A-Za-z0-9_.:-]{1,40})""", re.IGNORECASE)
_CONTAINER: Final = re.compile(
    r"<(/?)(address|article|aside|blockquote|center|details|dialog|dir|div|dl|fieldset|figcaption|figure|footer|header|"
    r"hgroup|main|menu|nav|ol|optgroup|pre|r[bpt]|rtc|ruby|search|section|summary|ul)\b",
    re.IGNORECASE,
)
"""Elements for each of which the parser looks through all that are open around it."""
_AROUND: Final = frozenset(("nav", "footer", "aside", "form", "dialog", "menu"))
"""Not of the article, unless nothing else is there."""
_ROLES: Final = frozenset(("navigation", "contentinfo", "complementary", "search", "dialog", "menu"))


def read_html_page(page: str, sheet_of: Callable[[str], str] | None = None) -> Page:
    """All paragraphs of a page that need not be well-formed; ``sheet_of`` finds its style sheets."""
    parts = sections(page)
    for index in range(1, len(parts), 2):
        parts[index] = parts[index].removeprefix("<![CDATA[").removesuffix("]]>") if parts[index][2] == "[" else ""
    return _walked(_parsed(_EMPTY.sub(r"<\1\2></\1>", "".join(parts))).root, PageReader(sheet_of))


def _parsed(page: str) -> LexborHTMLParser:
    """The page's tree.

    Raises:
        InvalidScript: so many containers are open at once that building it would take for ever.
    """
    depth = in_ruby = 0
    for closing, name in _CONTAINER.findall(page):
        if name[0] in "rR":  # what is left open in a ruby ends with it
            in_ruby = 0 if name.lower() == "ruby" else in_ruby + (not closing)
        else:
            depth = max(0, depth - 1) if closing else depth + 1
        if depth + in_ruby > limits.XML_DEPTH:
            hint = f"Nest at most {limits.XML_DEPTH} elements"
            raise InvalidScript("the page is nested too deeply", f"<{name}>", hint)
    return LexborHTMLParser(page)


def read_html(document: str, builder: ScriptBuilder, cast: Cast) -> None:
    """Add a web page: its article if it has one, else its body without navigation, head, foot and forms.

    The two highest levels of headings become chapters; a single first heading of level 1 is the title, else what
    ``<title>`` says.

    Raises:
        InvalidScript: nested too deeply.
    """
    parsed = _parsed(document)
    builder.title = builder.title or _title(parsed)
    builder.author = builder.author or _meta(parsed, "author")
    page = _walked(_article(parsed), _styled(parsed), whole=False)
    if not page.blocks:
        page = _walked(parsed.body or parsed.root, _styled(parsed))
    add_blocks(page, builder, cast)


def add_blocks(page: Page, builder: ScriptBuilder, cast: Cast) -> None:
    """Add a document that is one page, with chapters from its headings; its paragraphs are counted."""
    headings = [block.level for block in page.blocks if block.level]
    first = next(iter(page.blocks), None)
    alone = headings.count(1) == 1 and first is not None and first.level == 1
    levels = set(sorted(set(headings[1:] if alone else headings))[:2])
    for number, block in enumerate(page.blocks, start=1):
        is_title = alone and number == 1
        if is_title or block.level in levels:
            builder.chapter(block.text.strip())
        if is_title:
            builder.title = builder.title or block.text.strip()
        builder.add(block.text, cast.narrator, readings=block.readings, line=number)
    for left in page.left_out:
        builder.leave_out(left.reason, left.text, left.block + 1)


def decode_html(data: bytes) -> tuple[str, str]:
    """A page's text and its encoding: byte order mark, ``<meta charset>``, else whatever fits.

    Raises:
        InvalidScript: no encoding fits, with what to do.
    """
    declared = _CHARSET.search(data[:4096])
    names = [encodings.bom_encoding(data), declared[1].decode() if declared else "", encodings.guess(data)]
    for name in filter(None, names):
        try:
            return encodings.decode(data, name), name
        except (UnicodeDecodeError, LookupError):
            continue
    name = next((each for each in names if each and encodings.known(each)), "")
    if not name:
        raise InvalidScript("the encoding of the page cannot be found", "", "Save the page as UTF-8")
    return encodings.decode(data, name, replace=True), name


def _article(parsed: LexborHTMLParser) -> Any:
    """The element that holds the text: the one article or main, else the body."""
    for selector in ("article", "main", "[role=main]", "[itemprop=articleBody]"):
        found = [node for node in parsed.css(selector) if node.text(strip=True)]
        if len(found) == 1:
            return found[0]
    return parsed.body or parsed.root


def _title(parsed: LexborHTMLParser) -> str:
    said = _meta(parsed, "og:title")
    if not said and (node := parsed.css_first("title")):
        said = " ".join(node.text().split())
    return said


def _meta(parsed: LexborHTMLParser, name: str) -> str:
    for node in parsed.css("meta"):
        if node.attributes.get("name") == name or node.attributes.get("property") == name:
            return " ".join((node.attributes.get("content") or "").split())
    return ""


def _styled(parsed: LexborHTMLParser) -> PageReader:
    """A reader that knows the style sheets of the page's head."""
    reader = PageReader()
    for node in parsed.css("head style"):
        reader.styles.add(node.text(), node.attributes.get("media") or "")
    return reader


def _walked(root: Any, reader: PageReader, *, whole: bool = True) -> Page:
    """The page below ``root``, read without recursion."""
    for node, entering, depth in _steps(root):
        if depth > limits.XML_DEPTH:
            hint = f"Nest at most {limits.XML_DEPTH} elements"
            raise InvalidScript("the page is nested too deeply", f"<{node.tag}>", hint)
        if node.tag == _TEXT:
            if entering:
                reader.characters(node.text_content or "")
        elif node.tag and node.tag[0] not in "-!_":
            tag = node.tag.rsplit(":", 1)[-1].lower()
            if entering:
                attributes = {name.rsplit(":", 1)[-1].lower(): value or "" for name, value in node.attributes.items()}
                if not whole and _around_article(node, tag, attributes):
                    attributes["hidden"] = ""
                reader.start(tag, attributes)
            else:
                reader.end(tag)
    return reader.finish()


def _around_article(node: Any, tag: str, attributes: dict[str, str]) -> bool:
    if tag == "header" or attributes.get("role") == "banner":
        return node.css_first("h1") is None and node.css_first("h2") is None
    return tag in _AROUND or attributes.get("role") in _ROLES


def _steps(root: Any) -> Iterator[tuple[Any, bool, int]]:
    """Every node twice: as it begins, and as it ends."""
    if root is None:
        return
    node, depth = root, 0
    while True:
        yield node, True, depth
        if node.child is not None:
            node, depth = node.child, depth + 1
            continue
        yield node, False, depth
        while depth and node.next is None:
            node, depth = node.parent, depth - 1
            yield node, False, depth
        if not depth:
            return
        node = node.next
