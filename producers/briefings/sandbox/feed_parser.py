"""RSS and Atom parser; it runs in the child process only."""

from __future__ import annotations

import io
import re
from typing import Any, Final

import feedparser

from koebin.engine import limits
from koebin.producers.briefings.sandbox.feed_dates import parse_date
from koebin.producers.briefings.sandbox.sanitise import text_of_html
from koebin.producers.formats import encodings
from koebin.producers.formats.safe_xml import prepared

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
    # Entities are where XML bombs and file inclusion live; feeds have no use for them.
    if re.search(r"<!\s*(ENTITY|DOCTYPE[^<>\[]*\[)", text, re.IGNORECASE):
        raise FeedRefused("the feed declares XML entities, which are refused")
    text = prepared(text, "the feed", lenient=True)  # a bare & and control characters cost themselves alone
    parsed = feedparser.parse(
        io.BytesIO(text.encode(errors="replace")),  # never a str or bytes: feedparser opens those as a path or a URL
        response_headers={"content-type": "application/xml; charset=utf-8"},
        sanitize_html=False,
        resolve_relative_uris=False,
    )
    if not parsed.get("version") and not parsed.entries:
        raise FeedRefused("this is not an RSS or Atom feed")
    is_atom = str(parsed.get("version", "")).startswith("atom")
    return {
        "title": _detail(parsed.feed, "title", is_atom=is_atom),
        "items": [_item(entry, is_atom=is_atom) for entry in parsed.entries[:items]],
    }


def _item(entry: Any, *, is_atom: bool) -> dict[str, Any]:
    published, local = parse_date(str(entry.get("published") or entry.get("updated") or ""))
    return {
        "title": _detail(entry, "title", is_atom=is_atom),
        "summary": _detail(entry, "summary", is_atom=is_atom),
        "author": _text(entry.get("author", "")),
        "link": str(entry.get("link", "")),
        "published": published,
        "local": local,
    }


def _detail(holder: Any, name: str, *, is_atom: bool) -> str:
    """A title or a summary; plain text of Atom is no HTML, whatever it looks like."""
    value = str(holder.get(name, ""))
    detail = holder.get(f"{name}_detail") or {}
    if is_atom and detail.get("type") == "text/plain":
        return _shortened(" ".join(value.split()))
    # What is all tags is meant as it is written: a title is never empty for its brackets.
    return _text(value) or _shortened(" ".join(value.split()))


def _text(html: str) -> str:
    return _shortened(text_of_html(str(html)))


def _shortened(text: str) -> str:
    return text if len(text) <= MAX_FIELD else text[: MAX_FIELD - 1] + "…"


def _decode(data: bytes, content_type: str) -> str:
    """By byte order mark, then the XML declaration, then the header, else what fits; a bad byte costs a character."""
    declared = re.match(rb"""\s*<\?xml[^>]*?encoding\s*=\s*["']([A-Za-z0-9._-]+)""", data[:300])
    header = re.search(r"charset\s*=\s*\"?([A-Za-z0-9._-]+)", content_type)
    said = declared[1].decode("ascii") if declared else header[1] if header else ""
    if said and not encodings.known(said):
        raise FeedRefused(f"the encoding {said!r} is not one that feeds use")
    names = [name for name in (encodings.bom_encoding(data), said, encodings.guess(data), "utf-8") if name]
    for name in names:
        try:
            return encodings.decode(data, name).lstrip("\ufeff")
        except UnicodeDecodeError:
            continue
    text = encodings.decode(data, names[0], replace=True).lstrip("\ufeff")
    if text.count(encodings.REPLACEMENT) > limits.UNREADABLE_SHARE * len(text):
        raise FeedRefused(f"the feed is not valid {names[0]}")
    return text
