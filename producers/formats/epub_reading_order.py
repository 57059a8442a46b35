"""Reading order of an EPUB: the spine, with the fallback for each file that is no page.

Source: EPUB 3.3, https://www.w3.org/TR/epub-33/.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from koebin.producers.formats.archive import key_of
from koebin.producers.formats.epub_package import Item, Package

DRAWING: Final = "image/svg+xml"
_PAGES: Final = frozenset(
    ("application/xhtml+xml", "text/html", "application/x-dtbook+xml", "text/x-oeb1-document", "application/xml", "")
)
_PAGE_NAMES: Final = re.compile(r"\.(?:xhtml?|html?|xml)$", re.IGNORECASE)


def pages_in_order(package: Package) -> Iterator[Item]:
    """Yield the pages to be read, each once; a picture gives way to its fallback unless that is read anyway."""
    spine = [item.path for item in package.spine]
    seen: set[str] = set()
    for item in package.spine:
        page = _page_for(package, item, spine)
        if page is None:
            continue
        if page.outside:
            package.problems.append(("a page lies outside of the book", page.path))
            continue
        if key_of(page.path) not in seen:
            seen.add(key_of(page.path))
            yield page


def _page_for(package: Package, item: Item, spine: list[str]) -> Item | None:
    chosen, seen = item, {item.path}
    while not _is_page(chosen):
        following = package.items.get(chosen.fallback)
        if following is None or following.path in seen:
            package.problems.append(("a file in the reading order is no page", item.path))
            return None
        chosen = following
        seen.add(chosen.path)
    return None if chosen is not item and chosen.path in spine else chosen


def _is_page(item: Item) -> bool:
    if item.media_type == DRAWING:
        return not item.fallback
    if item.media_type in _PAGES:
        return bool(item.media_type) or bool(_PAGE_NAMES.search(item.path))
    return not item.media_type.startswith(("image/", "audio/", "video/", "font/", "text/css")) and bool(
        _PAGE_NAMES.search(item.path)
    )
