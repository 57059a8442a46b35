"""RSS and Atom parser; it runs in the child process only."""

from __future__ import annotations

import calendar
import codecs
import io
import re
from typing import Any, Final

import feedparser

from koebin.producers.briefings.sandbox.plain import text_of_html

_ENCODINGS: Final = {"utf-8", "utf-16", "utf-16-le", "utf-16-be", "shift_jis", "cp932", "euc_jp", "iso2022_jp"} | {
    "iso8859-1",
    "cp1252",
    "ascii",
}
MAX_FIELD: Final = 5_000
"""Characters of a title or a summary; a longer one ends in an ellipsis, which the template can see."""


class FeedRefused(Exception):
    """Not a feed, or a malicious one."""


def parse_feed(data: bytes, content_type: str, items: int) -> dict[str, Any]:
    """Parse a feed.

    Returns:
        ``{"title": str, "items": [{"title", "summary", "author", "link": str, "published": epoch seconds or None}]}``,
        the items in the feed's order, texts without tags.

    Raises:
        FeedRefused: entity declarations, an unknown encoding, or nothing that is a feed.
    """
    text = _decode(data, content_type)
    # Entities allow XML bombs and file inclusion; feeds do not need them.
    if re.search(r"<!\s*(ENTITY|DOCTYPE[^>]*\[)", text, re.IGNORECASE):
        raise FeedRefused("the feed declares XML entities, which are refused")
    parsed = feedparser.parse(
        io.BytesIO(text.encode()),  # never a str or bytes: feedparser opens those as a path or a URL
        response_headers={"content-type": "application/xml; charset=utf-8"},
        sanitize_html=False,
        resolve_relative_uris=False,
    )
    if not parsed.get("version") and not parsed.entries:
        raise FeedRefused("this is not an RSS or Atom feed")
    return {
        "title": _text(parsed.feed.get("title", "")),
        "items": [_item(entry) for entry in parsed.entries[:items]],
    }


def _item(entry: Any) -> dict[str, Any]:
    moment = entry.get("published_parsed") or entry.get("updated_parsed")
    return {
        "title": _text(entry.get("title", "")),
        "summary": _text(entry.get("summary", "")),
        "author": _text(entry.get("author", "")),
        "link": str(entry.get("link", "")),
        "published": calendar.timegm(moment) if moment else None,
    }


def _text(html: str) -> str:
    text = text_of_html(str(html))
    return text if len(text) <= MAX_FIELD else text[: MAX_FIELD - 1] + "…"


def _decode(data: bytes, content_type: str) -> str:
    name = _encoding(data, content_type)
    try:
        return data.decode(name).lstrip("\ufeff")
    except UnicodeDecodeError as error:
        raise FeedRefused(f"the feed is not valid {name}") from error


def _encoding(data: bytes, content_type: str) -> str:
    """Encoding by byte order mark, then the XML declaration, then the header; UTF-8 by default."""
    for mark, name in ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16")):
        if data.startswith(mark):
            return name
    for start, name in ((b"<\0?\0", "utf-16-le"), (b"\0<\0?", "utf-16-be")):
        if data.startswith(start):
            return name
    declared = re.match(rb"""\s*<\?xml[^>]*?encoding\s*=\s*["']([A-Za-z0-9._-]+)""", data[:300])
    header = re.search(r"charset\s*=\s*\"?([A-Za-z0-9._-]+)", content_type)
    named = declared[1].decode("ascii") if declared else header[1] if header else "utf-8"
    try:
        name = codecs.lookup(named).name
    except LookupError:
        name = ""
    if name not in _ENCODINGS:
        raise FeedRefused(f"the encoding {named!r} is not supported in feeds")
    return "cp932" if name == "shift_jis" else name
