"""XML from strangers: nothing fetched, entities of its own bounded, depth bounded, an error with its place."""

from __future__ import annotations

import html.entities
import re
from collections.abc import Collection, Iterator, Mapping
from typing import Final
from xml.sax import SAXException, SAXParseException
from xml.sax.handler import ContentHandler, ErrorHandler
from xml.sax.xmlreader import AttributesImpl

import defusedxml.sax
from defusedxml.common import DefusedXmlException

from koebin.engine import limits
from koebin.engine.errors import InvalidScript

_ENTITY: Final = re.compile(r"&([A-Za-z_][\w.-]{0,63});", re.ASCII)
_BARE: Final = re.compile(r"&(?!(?:[A-Za-z_][\w.-]{0,63}|#[0-9]{1,7}|#[xX][0-9A-Fa-f]{1,6});)", re.ASCII)
_SECTIONS: Final = (("<![CDATA[", "]]>"), ("<!--", "-->"))
_DECLARATION: Final = re.compile(r"\A\s*<\?xml\s[^>\n]*\?>")
"""The encoding it names is no longer that of the document; its place is kept, so that columns stay."""
_SUBSET: Final = re.compile(r"(<!DOCTYPE[^\[<>]{0,1000})\[(.*?)\](\s*>)", re.DOTALL)
_DECLARED: Final = re.compile(r"""<!ENTITY\s+([A-Za-z_][\w.-]{0,63})\s+(?:"([^"]*)"|'([^']*)')\s*>""", re.ASCII)
_CHARACTER: Final = re.compile(r"&#(?:[xX]([0-9A-Fa-f]{1,6})|([0-9]{1,7}));")
_CONTROL: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\ud800-\udfff]")
_OWN: Final = frozenset(("amp", "lt", "gt", "quot", "apos"))
_ROUNDS: Final = 5
_HEAD: Final = 100_000
"""Characters in which a document declares what it has to."""


class Handler(ContentHandler):
    """Elements by their local name in small letters, with the place of each.

    Declarations of namespaces and the places of schemas are no attributes.
    """

    _depth = 0

    def place(self) -> tuple[int, int]:
        """Line and column, from 1."""
        locator = self._locator  # type: ignore[attr-defined]
        return (locator.getLineNumber() or 0, (locator.getColumnNumber() or 0) + 1) if locator else (0, 0)

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        """An element begins."""

    def end(self, tag: str) -> None:
        """An element ends."""

    def startElement(self, name: str, attrs: AttributesImpl) -> None:  # noqa: N802
        self._depth += 1
        if self._depth > limits.XML_DEPTH:
            hint = f"Nest at most {limits.XML_DEPTH} elements"
            raise InvalidScript("the document is nested too deeply", f"<{name}>", hint, *self.place())
        if sum(map(len, attrs.values())) > limits.XML_ATTRIBUTE_CHARS:
            raise InvalidScript("an element's attributes are too long", f"<{name}>", "Shorten them", *self.place())
        self.start(_local(name), {_local(key): value for key, value in attrs.items() if not _is_declaration(key)})

    def endElement(self, name: str) -> None:  # noqa: N802
        self._depth -= 1
        self.end(_local(name))

    def skippedEntity(self, name: str) -> None:  # noqa: N802
        raise InvalidScript("an unknown entity", f"&{name};", "Write the character itself", *self.place())


def parse(document: str, handler: Handler, what: str, *, lenient: bool = False) -> None:
    """Hand ``document`` to ``handler``, with the named characters of HTML and the document's own short entities.

    Args:
        what: names the document in errors.
        lenient: take a bare ``&`` for itself, leave unknown entities as they are written, drop control characters.

    Raises:
        InvalidScript: not well-formed, nested too deeply, or its entities come to too much.
    """
    data = prepared(document, what, lenient=lenient).encode(errors="replace")
    try:
        # A DOCTYPE may name the DTD of XHTML, which the reader of the standard library never fetches.
        defusedxml.sax.parseString(data, handler, ErrorHandler(), forbid_entities=True, forbid_external=False)
    except DefusedXmlException as error:
        raise InvalidScript(f"{what} declares entities", "", "Remove the declarations") from error
    except SAXParseException as error:
        line, column = error.getLineNumber() or 0, (error.getColumnNumber() or 0) + 1
        raise InvalidScript(f"{what} is not well-formed XML ({error.getMessage()})", "", "", line, column) from error
    except (SAXException, UnicodeError, ValueError) as error:
        raise InvalidScript(f"{what} is not XML ({error})") from error


def prepared(document: str, what: str, *, lenient: bool) -> str:
    """The document with the characters of HTML and its own short entities written out, and nothing left to declare.

    Raises:
        InvalidScript: its entities come to too much.
    """
    document = document.lstrip("\ufeff")
    if lenient:
        document = _CONTROL.sub("", document.lstrip())
    document = _DECLARATION.sub(lambda found: re.sub(r"\S", " ", found[0]), document, count=1)
    entities: dict[str, str] = {}
    head = document[:_HEAD]
    if subset := _SUBSET.match(head, max(0, head.find("<!DOCTYPE"))):
        entities = _entities(subset[2], what)
        kept = subset[1] + re.sub(r"[^\n]", " ", "[" + subset[2] + "]") + subset[3]
        document = document[: subset.start()] + kept + document[subset.end() :]
    room = [limits.XML_ENTITY_CHARS]

    def named(match: re.Match[str]) -> str:
        name = match[1]
        if name in _OWN:
            return match[0]
        if name in entities:
            room[0] -= len(entities[name])
            if room[0] < 0:
                raise InvalidScript(f"the entities of {what} come to too much", match[0], "Write the text itself")
            return entities[name]
        character = html.entities.html5.get(name + ";")
        if character is None:
            return f"&amp;{name};" if lenient else match[0]
        return _escaped(character)

    parts = sections(document)
    for index in range(0, len(parts), 2):
        if "&" in parts[index]:
            plain = _BARE.sub("&amp;", parts[index]) if lenient else parts[index]
            parts[index] = _ENTITY.sub(named, plain)
    return "".join(parts)


def sections(document: str) -> list[str]:
    """Markup and, at the odd places, comments and CDATA sections, in which nothing is replaced."""
    parts, position = [], 0
    while True:
        found = [(at, end) for start, end in _SECTIONS if (at := document.find(start, position)) >= 0]
        if not found:
            break
        start, mark = min(found)
        end = document.find(mark, start)
        if end < 0:
            break
        parts += [document[position:start], document[start : end + len(mark)]]
        position = end + len(mark)
    return [*parts, document[position:]]


def _entities(subset: str, what: str) -> dict[str, str]:
    """Internal entities with their text, those inside of them written out; external ones stay unknown."""
    found = {match[1]: match[2] if match[2] is not None else match[3] for match in _DECLARED.finditer(subset)}
    for _ in range(_ROUNDS):
        if not any(_ENTITY.search(value) for value in found.values()):
            break
        found = _written_out(found, what)
    return {name: _CHARACTER.sub(_character, value) for name, value in found.items()}


def _written_out(found: Mapping[str, str], what: str) -> dict[str, str]:
    room = [limits.XML_ENTITY_CHARS]

    def inner(match: re.Match[str]) -> str:
        value = match[0] if match[1] in _OWN else found.get(match[1], match[0])
        room[0] -= len(value)
        if room[0] < 0:
            raise InvalidScript(f"the entities of {what} come to too much", match[0], "Write the text itself")
        return value

    return {name: _ENTITY.sub(inner, value) for name, value in found.items()}


def _character(match: re.Match[str]) -> str:
    number = int(match[1], 16) if match[1] else int(match[2])
    if number > 0x10FFFF or 0xD800 <= number < 0xE000:
        return ""
    return _escaped(chr(number))


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;")


def _is_declaration(name: str) -> bool:
    return (
        name == "xmlns" or name.startswith("xmlns:") or _local(name) in ("schemalocation", "nonamespaceschemalocation")
    )


def _local(name: str) -> str:
    return name.rsplit(":", 1)[-1].lower()


class Node:
    """An element of a small document that is kept whole: package, table of contents, metadata.

    Attributes:
        tag: local name in small letters.
        attributes: by local name.
        content: text and elements, in order.
    """

    __slots__ = ("attributes", "content", "tag")

    def __init__(self, tag: str, attributes: dict[str, str]) -> None:
        self.tag = tag
        self.attributes = attributes
        self.content: list[Node | str] = []

    def get(self, name: str, default: str = "") -> str:
        """An attribute without the blanks around it."""
        return self.attributes.get(name, default).strip()

    def children(self) -> Iterator[Node]:
        """The elements directly inside of it."""
        yield from (each for each in self.content if isinstance(each, Node))

    def iter(self, whole: Collection[str] = ()) -> Iterator[Node]:
        """It and every element inside of it, in the order of their start tags; none inside of those called so."""
        waiting = [self]
        while waiting:
            node = waiting.pop()
            yield node
            if node.tag in whole:
                continue
            waiting.extend(reversed([each for each in node.content if isinstance(each, Node)]))

    def text(self, leave_out: Collection[str] = ()) -> str:
        """All text in it, but for that in elements called so."""
        parts: list[str] = []
        waiting: list[Node | str] = [self]
        while waiting:
            each = waiting.pop()
            if isinstance(each, str):
                parts.append(each)
            elif each.tag not in leave_out:
                waiting.extend(reversed(each.content))
        return "".join(parts)


class _Builder(Handler):
    def __init__(self) -> None:
        super().__init__()
        self.root: Node | None = None
        self._open: list[Node] = []

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        node = Node(tag, attributes)
        if self._open:
            self._open[-1].content.append(node)
        else:
            self.root = node
        self._open.append(node)

    def end(self, tag: str) -> None:  # noqa: ARG002
        self._open.pop()

    def characters(self, content: str) -> None:
        if self._open:
            self._open[-1].content.append(content)


def tree(document: str, what: str) -> Node:
    """A small document as a tree, read leniently.

    Raises:
        InvalidScript: see ``parse``.
    """
    builder = _Builder()
    parse(document, builder, what, lenient=True)
    if builder.root is None:
        raise InvalidScript(f"{what} is empty")
    return builder.root
