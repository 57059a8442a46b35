"""Paragraphs of an XHTML or HTML page, with ruby as readings."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from koebin.engine.errors import InvalidScript
from koebin.engine.reading import Reading
from koebin.producers.formats import safe_xml, white_space
from koebin.producers.formats.aozora_characters import character_of
from koebin.producers.formats.ruby import UNKNOWN
from koebin.producers.formats.stylesheet import StyleSheet, is_hidden
from koebin.producers.formats.written_readings import MAX_WORD, parse_reading

_BLOCKS: Final = frozenset(
    """address article aside blockquote body br caption dd details dialog div dl dt fieldset figcaption figure footer
    form h1 h2 h3 h4 h5 h6 header hgroup hr legend li main menu nav ol p pre section summary table tbody td tfoot th
    thead tr ul""".split()  # noqa: SIM905
)
_SILENT: Final = frozenset(
    """head script style rp template object iframe svg audio video noscript annotation annotation-xml case
    select textarea button""".split()  # noqa: SIM905
)
_NO_DRAWING: Final = frozenset(("style", "script", "metadata", "defs", "title", "desc"))
_PAGE_NUMBERS: Final = frozenset(("pagenum", "pageno", "page-number", "pagenumber"))
"""Classes that books give to the page numbers of their print."""
_NOTE_CLASSES: Final = frozenset(("noteref", "note-ref", "footnote-ref", "footnoteref", "fnref", "footnote-back"))
_NOTE_MARKS: Final = frozenset(("noteref", "doc-noteref", "doc-backlink", "backlink"))
_PAGE_BREAKS: Final = frozenset(("pagebreak", "doc-pagebreak"))
_TOC: Final = frozenset(("toc", "doc-toc"))
_PARTS: Final = frozenset(("section", "div", "ol", "ul", "aside", "body"))
_CONTENTS: Final = frozenset(("toc", "doc-toc", "landmarks", "page-list", "loi", "lot"))
_NOTE_TEXT: Final = re.compile(
    r"\s*[\[［(（〔【]?\s*(?:(?:原|訳|補|傍)?[注註]|note\s|fn)?\s*[*＊※†‡§]?\s*[0-9０-９⁰¹²³⁴-⁹①-⑳]{1,4}\s*[\]］)）〕】]?[.．:：]?\s*"
    r"|\s*[\[［(（〔【]?\s*(?:[*＊※†‡§]{1,4}|[↩↑⏎↵⤴⇧^]\ufe0e?|(?:原|訳|補|傍)?[注註])\s*[\]］)）〕】]?\s*"
    r"|\s*[\[［(（〔【]?\s*(?:原|訳|補|傍)?[注註]\s*[一二三四五六七八九十百]{1,5}\s*[\]］)）〕】]?\s*"
    r"|\s*[\[［(（〔【]\s*(?:[一二三四五六七八九十百]{1,5}|[a-z]|[ivx]{1,6})\s*[\]］)）〕】]\s*"
    r"|\s*[\[［(（〔【]?(?:(?:本文|もと|元)[へに])?(?:戻る|もどる)[\]］)）〕】]?\s*|\s*(?:go\s|jump\s)?(?:back|return)(?:\sto\stext)?\s*",
    re.IGNORECASE,
)
"""A link's whole text that is the mark of a note, or the arrow back from it."""
_GAIJI_FILE: Final = re.compile(r"(?:^|/)(?:gaiji[-_])?([12]-[0-9]{1,2}-[0-9]{1,2})\.\w+$")
_ONE_LETTER: Final = re.compile(
    "[\u3041-\u3096\u30a1-\u30fa\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff々〆][\ufe00-\ufe0f\U000e0100-\U000e01ef]?"
)


@dataclass(frozen=True, slots=True)
class Block:
    """A paragraph of a page.

    Attributes:
        level: 1 to 6 for a heading, else 0.
        ids: of the elements that begin in it or since the paragraph before it, for links into the page.
        linked: characters of it that are links into the book.
        targets: of those links.
    """

    text: str
    readings: tuple[Reading, ...]
    level: int
    ids: tuple[str, ...]
    linked: int = 0
    targets: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Something on a page that nothing is said for.

    Attributes:
        block: number of paragraphs before it.
    """

    block: int
    reason: str
    text: str


@dataclass(slots=True)
class Page:
    """What a page holds.

    Attributes:
        ids: of elements after its last paragraph.
        picture: the first picture's address, "" if there is none.
    """

    blocks: list[Block] = field(default_factory=list)
    ids: tuple[str, ...] = ()
    left_out: list[LeftOut] = field(default_factory=list)
    picture: str = ""


@dataclass(slots=True)
class _Ruby:
    """A ruby element that is being read: its words, each with its reading."""

    pairs: list[list[str]] = field(default_factory=lambda: [["", ""]])
    in_reading: bool = False
    depth: int = 1
    inner_closed: bool = False

    def text(self, data: str) -> None:
        if not self.in_reading and self.pairs[-1][1] and data.strip():
            self.pairs.append(["", ""])
        self.pairs[-1][1 if self.in_reading else 0] += data

    @property
    def has_reading(self) -> bool:
        return any(reading.strip() for _, reading in self.pairs)


@dataclass(slots=True)
class _Link:
    """A link that is open: where its text begins in the paragraph."""

    block: int
    part: int
    length: int
    reading: int
    href: str


class PageReader(safe_xml.Handler):
    """Collects the paragraphs of a page from its elements, whoever parses them.

    Args:
        sheet_of: the text of a style sheet by its address.

    Attributes:
        styles: of its elements, as far as they hide some.
    """

    def __init__(self, sheet_of: Callable[[str], str] | None = None) -> None:
        super().__init__()
        self.page = Page()
        self.styles = StyleSheet()
        self._sheet_of = sheet_of
        self._sheet: list[str] = []
        self._sheet_media = ""
        self._drawn: list[str] = []
        self._pictured = 0
        self._parts: list[str] = []
        self._length = 0
        self._readings: list[Reading] = []
        self._ids: list[str] = []
        self._level = 0
        self._silent: list[str] = []
        self._verbatim = 0
        self._around = ""
        self._ruby: _Ruby | None = None
        self._links: list[_Link] = []
        self._linked = 0
        self._targets: list[str] = []
        self._mark = ""
        self._formulas: list[int] = []

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        around, self._around = self._around, "link" if tag == "a" and "#" in attributes.get("href", "") else tag
        self._take_styles(tag, attributes)
        if not self._silent and self._parts_text(tag):
            self._end_block()
        self._take_ids(tag, attributes)
        if self._silent:
            self._silent.append(tag)
            return
        if self._says_nothing(tag, attributes, around):
            self._silent.append(tag)
            return
        if re.fullmatch("h[1-6]", tag):
            self._level = int(tag[1])
        elif tag == "pre":
            self._verbatim += 1
        elif tag == "a":
            length, readings = self._length, len(self._readings)
            self._links.append(
                _Link(len(self.page.blocks), len(self._parts), length, readings, attributes.get("href", ""))
            )
        elif tag == "ruby":
            self._start_ruby()
        elif tag in ("rt", "rb", "rtc", "rbc") and self._ruby:
            self._ruby.in_reading = tag in ("rt", "rtc")
        elif tag in ("img", "image"):
            self._picture(attributes)
        elif tag == "math":
            self._formulas.append(self._length)
            if spoken := attributes.get("alttext", "").strip():
                self.characters(spoken)
                self._formulas.pop()
                self._silent.append(tag)

    def end(self, tag: str) -> None:
        self._around = ""
        if self._silent:
            self._end_silent(self._silent.pop())
            return
        if tag in ("rt", "rtc") and self._ruby:
            self._ruby.in_reading = False
        elif tag == "ruby" and self._ruby:
            self._ruby.depth -= 1
            self._ruby.inner_closed = True
            if not self._ruby.depth:
                self._end_ruby()
        elif tag == "pre" and self._verbatim:
            self._verbatim -= 1
        elif tag == "a" and self._links:
            self._end_link(self._links.pop())
        elif tag == "math" and self._formulas and self._formulas.pop() >= self._length and not self._ruby:
            self._leave_out("a formula without a text", "")
        if self._parts_text(tag):
            self._end_block()

    def characters(self, content: str) -> None:
        if self._silent:
            if self._silent[-1] == "style":
                self._sheet.append(content)
            elif "svg" in self._silent and "text" in self._silent and not _NO_DRAWING & set(self._silent):
                self._drawn.append(content)
            return
        if self._ruby:
            self._ruby.text(content)
        elif self._verbatim and "\n" in content:
            first, *more = content.split("\n")
            self._append(first)
            for line in more:
                self._end_block()
                self._append(line)
        else:
            self._append(content)

    def finish(self) -> Page:
        """The page, when its last element has ended."""
        self._end_block()
        self.page.ids = tuple(self._ids)
        return self.page

    def _parts_text(self, tag: str) -> bool:
        """Whether an element parts paragraphs; a break within a reading does not."""
        return tag in _BLOCKS and not (tag == "br" and self._ruby)

    def _take_ids(self, tag: str, attributes: dict[str, str]) -> None:
        for name in ("id", "name") if tag == "a" else ("id",):
            if identity := attributes.get(name, "").strip():
                self._ids.append(identity)

    def _take_styles(self, tag: str, attributes: dict[str, str]) -> None:
        if tag == "style":
            self._sheet, self._sheet_media = [], attributes.get("media", "")
        elif tag == "link" and self._sheet_of and "stylesheet" in attributes.get("rel", "").lower().split():
            href = attributes.get("href", "").strip()
            self.styles.add(self._sheet_of(href) if href else "", attributes.get("media", ""))

    def _end_silent(self, tag: str) -> None:
        if tag == "style":
            self.styles.add("".join(self._sheet), self._sheet_media)
        elif tag == "svg" and "svg" not in self._silent and self._drawn:
            drawn, self._drawn = " ".join("".join(self._drawn).split()), []
            if drawn:
                self._leave_out("text of a picture", drawn)

    def _says_nothing(self, tag: str, attributes: dict[str, str], around: str) -> bool:
        if tag in _SILENT or is_hidden(tag, attributes, self.styles):
            return True
        kinds = {
            kind.rpartition(":")[2]
            for kind in (*attributes.get("type", "").split(), *attributes.get("role", "").split())
        }
        classes = set(attributes.get("class", "").lower().split())
        if classes & _PAGE_NUMBERS or (tag == "a" and classes & _NOTE_CLASSES and "#" in attributes.get("href", "")):
            return True
        if kinds & _PAGE_BREAKS or (tag == "nav" and kinds & _CONTENTS) or (tag in _PARTS and kinds & _TOC):
            return True
        if kinds & _NOTE_MARKS or {self._around, around} == {"link", "sup"}:
            return True
        if tag in ("rt", "rtc"):
            # A second reading is a translation or a gloss of the same words.
            return (
                self._ruby is None
                or (self._ruby.inner_closed and self._ruby.has_reading)
                or (tag == "rtc" and self._ruby.has_reading)
            )
        return False

    def _start_ruby(self) -> None:
        if self._ruby:
            self._ruby.depth += 1
            return
        self._ruby = _Ruby()

    def _picture(self, attributes: dict[str, str]) -> None:
        source = attributes.get("src") or attributes.get("href", "")
        self.page.picture = self.page.picture or source
        said = _of_picture(attributes, source, in_word=self._ruby is not None and not self._ruby.in_reading)
        if said == UNKNOWN and not self._ruby:
            self._leave_out("a character that is only a picture", attributes.get("alt", "") or source)
        elif said:
            self._pictured += len(said) if self._ruby is None else 0
            self.characters(said)

    def _append(self, text: str) -> None:
        text = white_space.collapse(text)
        if not self._parts or self._parts[-1].endswith((" ", "\n")):
            text = text.lstrip(" \n")
        if text:
            self._parts.append(text)
            self._length += len(text)

    def _end_link(self, link: _Link) -> None:
        if self._ruby or link.block != len(self.page.blocks) or link.part > len(self._parts):
            return
        text = "".join(self._parts[link.part :])
        if not text.strip():
            return
        if "#" in link.href and _NOTE_TEXT.fullmatch(text):
            self._mark = text
            del self._parts[link.part :], self._readings[link.reading :]
            self._length = link.length
        elif link.href and "://" not in link.href:
            self._linked += len(text.strip())
            self._targets.append(link.href)

    def _end_ruby(self) -> None:
        ruby, self._ruby = self._ruby, None
        if not ruby:
            return
        words = [white_space.remove(word) for word, _ in ruby.pairs]
        spoken = [parse_reading(white_space.remove(reading)) for _, reading in ruby.pairs]
        if all(each and each.accent is None for each in spoken):
            # One reading for the whole word: its accent depends on all of it.
            self._read("".join(words), "".join(each.kana for each in spoken if each), None)
            return
        for word, each in zip(words, spoken, strict=True):
            if each:
                self._read(word, each.kana, each.accent)
            else:
                self._append(word)

    def _read(self, word: str, kana: str, accent: int | None) -> None:
        if not word.replace(UNKNOWN, "") or UNKNOWN in word:
            self._append(kana)  # the word is a picture: its reading is all there is
            return
        start = self._length
        self._append(word)
        if 0 < self._length - start <= MAX_WORD:
            self._readings.append(Reading(start, self._length, kana, accent))

    def _leave_out(self, reason: str, text: str) -> None:
        self.page.left_out.append(LeftOut(len(self.page.blocks), reason, text))

    def _end_block(self) -> None:
        if self._ruby:
            self._end_ruby()
        text = "".join(self._parts)
        if not text.strip() and self._level and self._mark:
            text = self._mark  # a heading that is nothing but the number of its chapter
        if 0 < len(text.strip()) <= self._pictured:
            text = ""  # a picture that stands alone is no character
        if text.strip():
            plain, readings = white_space.join_lines(text, self._readings)
            targets = tuple(self._targets)
            block = Block(plain, readings, self._level, tuple(self._ids), self._linked, targets)
            self.page.blocks.append(block)
            self._ids = []
            self._level = 0
        self._parts, self._length, self._readings, self._mark = [], 0, [], ""
        self._linked, self._targets, self._pictured = 0, [], 0


def read_page(page: str, what: str, sheet_of: Callable[[str], str] | None = None) -> Page:
    """The paragraphs of a page, in order; ``what`` names the page, ``sheet_of`` finds its style sheets.

    A page that is not well-formed is read as browsers read it.

    Raises:
        InvalidScript: it is nested too deeply, or its entities come to too much.
    """
    reader = PageReader(sheet_of)
    try:
        safe_xml.parse(page, reader, what, lenient=True)
    except InvalidScript as error:
        if "well-formed" not in error.what and "not XML" not in error.what:
            raise
        from koebin.producers.formats.html import read_html_page

        return read_html_page(page, sheet_of)
    return reader.finish()


def read_drawing(page: str, what: str) -> Page:
    """The texts of an SVG that is a page of its own, each a paragraph.

    Raises:
        InvalidScript: it is no XML, or nested too deeply.
    """
    found = [
        node.text(leave_out=_NO_DRAWING)
        for node in safe_xml.tree(page, what).iter(whole=("text", *_NO_DRAWING))
        if node.tag == "text"
    ]
    texts = [" ".join(text.split()) for text in found]
    blocks = [Block(text, (), 0, ()) for text in texts if text]
    return Page(blocks, left_out=[] if blocks else [LeftOut(0, "a picture in the reading order has no text", "")])


def _of_picture(attributes: dict[str, str], source: str, *, in_word: bool) -> str:
    """The character that a picture stands for, `UNKNOWN` for one that says nothing of it; "" for other pictures."""
    alternative = attributes.get("alt", "").strip()
    is_gaiji = "gaiji" in attributes.get("class", "").lower() or alternative.startswith(("※", "外字"))
    is_description = alternative.startswith(("※", "外字"))
    if _ONE_LETTER.fullmatch(alternative) or (
        alternative and is_gaiji and len(alternative) <= 2 and not is_description
    ):
        return alternative
    if not (is_gaiji or in_word):
        return ""
    if alternative and (described := character_of(alternative.strip("※（）()［］#＃ "))) != UNKNOWN:
        return described
    if (placed := _GAIJI_FILE.search(source)) and (character := character_of(placed[1])) != UNKNOWN:
        return character
    if alternative and is_gaiji and not alternative.startswith(("※", "外字")):
        return alternative
    return UNKNOWN
