"""Sanitising of foreign text: no control characters, no markup, one line."""

from __future__ import annotations

import re
import unicodedata
from html.parser import HTMLParser
from typing import Final

_MARKUP: Final = str.maketrans("[]［］《》|｜\\〓", "（）（）〈〉、、＼＿")
"""Characters that begin or end markup (``koebin.producers.formats.markup``), and what they look like without its
meaning."""

_HIDDEN: Final = {"Cc", "Cf", "Cs", "Co", "Cn"}
_BLOCKS: Final = {"p", "div", "br", "li", "tr", "h1", "h2", "h3", "h4", "h5", "h6", "td", "th", "dt", "dd"}
_SILENT: Final = {"script", "style", "head", "title", "template", "noscript", "rt", "rp"}
_OTHER_TAGS: Final = """
a abbr acronym address article aside audio b bdi bdo big blink blockquote body button canvas caption center cite code
col colgroup data datalist del details dfn dir dl em embed fieldset figcaption figure font footer form header hr html i
iframe img input ins kbd label legend link main map mark menu meta nav ol object option p param picture pre progress q
rb rtc ruby s samp section select small source span strike strong sub summary sup svg table tbody textarea tfoot thead
time track tt u ul var video wbr
"""
_TAGS: Final = _BLOCKS | _SILENT | set(_OTHER_TAGS.split())
"""Tags of HTML; anything else in angle brackets is text: ``Vec<T>``."""


def plain(text: str) -> str:
    """One line of speakable text: hidden characters removed, white space folded, markup characters replaced."""
    visible = "".join(" " if character in "\n\r\t\v\f\x85" else character for character in text)
    visible = "".join(character for character in visible if unicodedata.category(character) not in _HIDDEN)
    return re.sub(r"\s+", " ", visible.translate(_MARKUP)).strip()


def sentence(text: str) -> str:
    """Text with 。 at its end, unless it ends as a sentence already."""
    text = text.rstrip()
    return text if not text or text[-1] in "。．.！!？?…♪」』）" else text + "。"


def text_of_html(html: str) -> str:
    """Visible text of the HTML, on one line; text without tags is unchanged except for its entities."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    return " ".join("".join(reader.seen).split())


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.seen: list[str] = []
        self._silent = 0

    def handle_starttag(self, tag: str, _attributes: list[tuple[str, str | None]]) -> None:
        if tag not in _TAGS:
            self.handle_data(self.get_starttag_text() or "")
        if tag in _SILENT:
            self._silent += 1
        if tag in _BLOCKS:
            self.seen.append(" ")

    def handle_endtag(self, tag: str) -> None:
        if tag not in _TAGS:
            self.handle_data(f"</{tag}>")
        if tag in _SILENT and self._silent:
            self._silent -= 1
        if tag in _BLOCKS:
            self.seen.append(" ")

    def handle_data(self, data: str) -> None:
        if not self._silent:
            self.seen.append(data)
