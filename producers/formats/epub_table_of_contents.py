"""Tables of contents of an EPUB: which links are chapters, and which pages are nothing but such a table."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator
from typing import Final
from urllib.parse import unquote

from koebin.engine.errors import InvalidScript
from koebin.producers.formats.archive import Archive, key_of, resolve
from koebin.producers.formats.epub_package import Package, words
from koebin.producers.formats.safe_xml import Node, tree
from koebin.producers.formats.xhtml import Page

_TITLE: Final = re.compile(
    r"[\s【〔［\[「『〈《■□◆◇●○・-]*(?:総|本書の|詳細?)?(?:目\s*次|もくじ|table\s+of\s+contents|contents|index)[\s】〕］\]」』〉》・-]*",
    re.IGNORECASE,
)
_DOTS: Final = " \u3000.．…‥・･_―—–-"
_LEADERS: Final = re.compile(f"[{_DOTS}]{{2,}}")
"""Dots up to the number of a page."""
_DIGITS: Final = "0123456789０１２３４５６７８９"
_FEW, _MANY = 2, 4


def contents_of(
    archive: Archive, package: Package, text_of: Callable[[Archive, str], str]
) -> tuple[dict[str, str], frozenset[str]]:
    """Title of every chapter by its link (``page`` or ``page#id``), and the pages that are said to be the contents.

    A table that cannot be read gives way to the next one.
    """
    declared = {key_of(path) for path in package.contents_pages}
    chapters: dict[str, str] = {}
    for item in package.contents:
        try:
            root = tree(text_of(archive, item.path), item.path)
        except InvalidScript as error:
            package.problems.append((f"a table of contents cannot be read: {error.what}", item.path))
            continue
        declared |= {_link(item.path, href) for href in _landmarks(root)}
        if not chapters:
            links = _ncx_links(root) if root.tag == "ncx" else _nav_links(root)
            for href, title in links:
                if href:
                    chapters.setdefault(_link(item.path, href), title)
    return {link: title for link, title in chapters.items() if title}, frozenset(
        link.partition("#")[0] for link in declared
    )


def is_contents_page(
    path: str, page: Page, *, declared: bool, spine: Collection[str], titles: Collection[str] = ()
) -> bool:
    """Whether a page of the reading order is nothing but links to the others, or the ``titles`` of all chapters."""
    titled = bool(page.blocks) and bool(_TITLE.fullmatch(page.blocks[0].text))
    rest = [block for block in page.blocks if not block.level and not _TITLE.fullmatch(block.text)]
    total = sum(max(block.linked, len(_bare(block.text))) for block in rest)
    named = [bool({block.text.strip(), _bare(block.text)} & frozenset(titles)) for block in rest]
    if titled and len(named) >= _FEW and sum(named) >= len(named) * 0.7:
        return True
    linked = sum(block.linked for block in page.blocks)
    targets = {_link(path, href).partition("#")[0] for block in page.blocks for href in block.targets}
    places = sum(len(block.targets) for block in page.blocks)
    elsewhere = targets - {key_of(path)}
    if not places or (elsewhere and not elsewhere & frozenset(spine)):
        return False
    if declared:
        return linked >= total / 2
    if titled:
        return places >= _FEW and linked >= total * 0.7
    many = _FEW if all(named) else _MANY
    return len(elsewhere) >= many and linked >= total * 0.9 and elsewhere <= frozenset(spine)


def _bare(text: str) -> str:
    """An entry without the dots and the number of its page."""
    return _LEADERS.sub("", text.strip().rstrip(_DIGITS)).rstrip(_DOTS)


def _link(base: str, href: str) -> str:
    """A link as ``key_of`` spells it, with its fragment."""
    path, mark, fragment = href.strip().partition("#")
    whole = resolve(base, unquote(path)) if path else base
    return key_of(whole) + (f"#{unquote(fragment).strip()}" if mark and fragment.strip() else "")


def _navigations(root: Node) -> Iterator[tuple[Node, list[str]]]:
    for node in root.iter():
        if node.tag == "nav":
            yield node, node.get("type", "toc").split()


def _nav_links(root: Node) -> Iterator[tuple[str, str]]:
    for nav, kinds in _navigations(root):
        if "toc" in kinds:
            yield from ((link.get("href"), words(link)) for link in nav.iter(whole=("a",)) if link.tag == "a")
            return


def _landmarks(root: Node) -> Iterator[str]:
    for nav, kinds in _navigations(root):
        if "landmarks" in kinds:
            yield from (link.get("href") for link in nav.iter() if "toc" in link.get("type").split())


def _ncx_links(root: Node) -> Iterator[tuple[str, str]]:
    for point in root.iter():
        if point.tag == "navpoint":
            label = next((words(child) for child in point.children() if child.tag == "navlabel"), "")
            yield next((child.get("src") for child in point.children() if child.tag == "content"), ""), label
