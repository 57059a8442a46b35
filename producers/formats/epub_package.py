"""The package document of an EPUB: metadata, manifest, reading order."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import unquote

from koebin.engine.errors import InvalidScript
from koebin.producers.formats import white_space
from koebin.producers.formats.archive import Archive, resolve
from koebin.producers.formats.safe_xml import Node, tree

_HINT: Final = "Check that the file is a whole EPUB"
_OUTSIDE: Final = re.compile(r"(?:https?:|ftp:|file:|data:|//)", re.IGNORECASE)
"""Begins an address outside of the book, or data instead of one."""
_AUTHORS: Final = frozenset(("", "aut", "cre", "author", "creator"))
_NO_AUTHORS: Final = frozenset(
    (
        "trl",
        "ill",
        "edt",
        "cov",
        "art",
        "bkp",
        "bkd",
        "nrt",
        "pbl",
        "red",
        "aui",
        "aft",
        "ann",
        "com",
        "clb",
        "ctb",
        "pht",
    )
)
_COVER_NAME: Final = re.compile(r"(?:^|[^a-z])(?:front)?cover|表紙|hyoushi", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Item:
    """A file that the manifest names."""

    path: str
    media_type: str
    properties: frozenset[str]
    fallback: str = ""
    identity: str = ""
    outside: bool = False


@dataclass(slots=True)
class Package:
    """What the package document says.

    Attributes:
        contents: table of contents: the navigation document, then the NCX.
        contents_pages, cover_pages: what the guide calls so.
        series, volume: the collection the book belongs to, and its place there.
        problems: what could not be followed, with what it named.
    """

    path: str = ""
    title: str = ""
    author: str = ""
    series: str = ""
    volume: str = ""
    items: dict[str, Item] = field(default_factory=dict)
    spine: list[Item] = field(default_factory=list)
    contents: list[Item] = field(default_factory=list)
    contents_pages: list[str] = field(default_factory=list)
    cover_pages: list[str] = field(default_factory=list)
    cover_id: str = ""
    problems: list[tuple[str, str]] = field(default_factory=list)

    def cover_candidates(self) -> list[Item]:
        """Pictures that may be the cover, the likeliest first."""
        pictures = [item for item in self.items.values() if item.media_type.startswith("image/")]
        marked = [item for item in pictures if "cover-image" in item.properties]
        named = [item for item in pictures if item.identity == self.cover_id]
        called = [item for item in pictures if _COVER_NAME.search(item.path.rsplit("/", 1)[-1] + " " + item.identity)]
        return list(dict.fromkeys([*marked, *named, *called]))


def read_package(archive: Archive, text_of: Callable[[Archive, str], str]) -> Package:
    """Find and read the package document.

    Raises:
        InvalidScript: there is none, or it is no XML.
    """
    path = _package_path(archive, text_of)
    root = tree(text_of(archive, path), path)
    package = Package(path)
    _read_metadata(root, package)
    ncx_id, itemrefs = "", []
    for node in root.iter():
        match node.tag:
            case "item":
                _read_item(node, package)
            case "spine":
                ncx_id = node.get("toc")
            case "itemref":
                itemrefs.append((node.get("idref"), node.get("linear") != "no"))
            case "reference":
                target = resolve(path, unquote(node.get("href").partition("#")[0]))
                if node.get("type") in ("toc", "other.toc", "other.contents"):
                    package.contents_pages.append(target)
                elif "cover" in node.get("type"):
                    package.cover_pages.append(target)
    beside = not any(linear for _, linear in itemrefs)  # all pages are: then they are the book
    for identity in (identity for identity, linear in itemrefs if linear or beside):
        if identity in package.items:
            package.spine.append(package.items[identity])
        else:
            package.problems.append(("the reading order names a page that is not there", identity))
    items = list(package.items.values())
    ncx = [item for item in items if item.media_type == "application/x-dtbncx+xml"]
    named = [package.items[ncx_id]] if ncx_id in package.items else []
    package.contents = [*(item for item in items if "nav" in item.properties), *dict.fromkeys([*named, *ncx])]
    return package


def words(node: Node) -> str:
    """What an element is called: its text without ruby, a picture by its alternative text."""
    parts: list[str] = []
    waiting: list[Node | str] = [node]
    while waiting:
        each = waiting.pop()
        if isinstance(each, str):
            parts.append(each)
        elif each.tag in ("rt", "rp", "rtc", "script", "style"):
            continue
        elif each.tag in ("img", "image"):
            parts.append(each.get("alt") or each.get("title"))
        else:
            parts.append("\n" if each.tag == "br" else "")
            waiting.extend(reversed(each.content))
    title, _ = white_space.join_lines(white_space.collapse("".join(parts)), [])
    return " ".join(title.split())


def _package_path(archive: Archive, text_of: Callable[[Archive, str], str]) -> str:
    if archive.has("META-INF/container.xml"):
        container = tree(text_of(archive, "META-INF/container.xml"), "META-INF/container.xml")
        roots = [node for node in container.iter() if node.tag == "rootfile" and node.get("full-path")]
        ours = [node for node in roots if node.get("media-type") == "application/oebps-package+xml"]
        for node in [*ours, *roots]:
            if archive.has(path := resolve("", node.get("full-path"))):
                return path
        if roots:
            raise InvalidScript("the EPUB lacks a file that it names", roots[0].get("full-path"), _HINT)
    found = [name for name in archive.names() if name.lower().endswith(".opf")]
    if len(found) != 1:
        raise InvalidScript("the EPUB names no package", "META-INF/container.xml", _HINT)
    return found[0]


def _read_item(node: Node, package: Package) -> None:
    identity, href = node.get("id"), node.get("href")
    if identity in package.items:
        return  # the first one is meant, as with any other id
    package.items[identity] = Item(
        path=href[:100] if _OUTSIDE.match(href) else resolve(package.path, unquote(href.partition("#")[0])),
        media_type=node.get("media-type").lower(),
        properties=frozenset(node.get("properties").split()),
        fallback=node.get("fallback"),
        identity=identity,
        outside=bool(_OUTSIDE.match(href)),
    )


def _read_metadata(root: Node, package: Package) -> None:
    metadata = next((node for node in root.iter() if node.tag == "metadata"), root)
    told = ("title", "creator", "meta")
    inside = [node for node in metadata.iter(whole=told) if node.tag in told]
    refined: dict[tuple[str, str], str] = {}
    for node in inside:
        if node.tag == "meta" and node.get("refines"):
            refined.setdefault((node.get("refines").lstrip("#"), node.get("property")), words(node))
    titles = [(node.get("id"), words(node)) for node in inside if node.tag == "title"]
    named = [(identity, title) for identity, title in titles if title]
    main = [title for identity, title in named if refined.get((identity, "title-type")) == "main"]
    package.title = next(iter([*main, *(title for _, title in named)]), "")
    creators = [
        (node.get("role") or refined.get((node.get("id"), "role"), ""), words(node))
        for node in inside
        if node.tag == "creator"
    ]
    package.author = "、".join(dict.fromkeys(_authors(creators)))
    _read_series([node for node in inside if node.tag == "meta"], refined, package)


def _authors(creators: list[tuple[str, str]]) -> list[str]:
    authors = [name for role, name in creators if name and role.lower() in _AUTHORS]
    return authors or [name for role, name in creators if name and role.lower() not in _NO_AUTHORS]


def _read_series(metas: list[Node], refined: dict[tuple[str, str], str], package: Package) -> None:
    for node in metas:
        name, content = node.get("name"), node.get("content")
        if name == "cover":
            package.cover_id = content
        elif name == "calibre:series":
            package.series = package.series or content
        elif name == "calibre:series_index":
            package.volume = package.volume or content.removesuffix(".0")
        elif node.get("property") == "belongs-to-collection" and not (node.get("refines") or package.series):
            identity = node.get("id")
            if refined.get((identity, "collection-type"), "series") == "series":
                package.series, package.volume = words(node), refined.get((identity, "group-position"), "")
