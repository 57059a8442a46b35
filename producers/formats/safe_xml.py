"""XML from strangers: no entities of its own, nothing fetched, an error with its place."""

from __future__ import annotations

import html.entities
import re
from typing import Final
from xml.sax import SAXException, SAXParseException
from xml.sax.handler import ContentHandler, ErrorHandler
from xml.sax.xmlreader import AttributesImpl

import defusedxml.sax
from defusedxml.common import DefusedXmlException

from koebin.engine.errors import InvalidScript

_ENTITY: Final = re.compile(r"&([A-Za-z][A-Za-z0-9]{1,31});")
_DECLARATION: Final = re.compile(r"\s*<\?xml\s[^>\n]*\?>")
"""The encoding it names is no longer that of the document; its place is kept, so that columns stay."""
_OWN: Final = frozenset(("amp", "lt", "gt", "quot", "apos"))


class Handler(ContentHandler):
    """Elements by their local name, with the place of each."""

    def place(self) -> tuple[int, int]:
        """Line and column, from 1."""
        locator = self._locator  # type: ignore[attr-defined]
        return (locator.getLineNumber() or 0, (locator.getColumnNumber() or 0) + 1) if locator else (0, 0)

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        """An element begins."""

    def end(self, tag: str) -> None:
        """An element ends."""

    def startElement(self, name: str, attrs: AttributesImpl) -> None:  # noqa: N802
        self.start(_local(name), {_local(key): value for key, value in attrs.items()})

    def endElement(self, name: str) -> None:  # noqa: N802
        self.end(_local(name))

    def skippedEntity(self, name: str) -> None:  # noqa: N802
        raise InvalidScript("an unknown entity", f"&{name};", "Write the character itself", *self.place())


def parse(document: str, handler: Handler, what: str) -> None:
    """Hand ``document`` to ``handler``, with the named characters of HTML.

    Raises:
        InvalidScript: not well-formed, or it declares entities; ``what`` names the document.
    """
    document = _DECLARATION.sub(lambda found: re.sub(r"\S", " ", found[0]), document.lstrip("\ufeff"), count=1)
    data = _ENTITY.sub(_named, document).encode()
    try:
        # A DOCTYPE may name the DTD of XHTML, which the reader of the standard library never fetches.
        defusedxml.sax.parseString(data, handler, ErrorHandler(), forbid_entities=True, forbid_external=False)
    except DefusedXmlException as error:
        raise InvalidScript(f"{what} declares entities", "", "Remove the declarations") from error
    except SAXParseException as error:
        line, column = error.getLineNumber() or 0, (error.getColumnNumber() or 0) + 1
        raise InvalidScript(f"{what} is not well-formed XML ({error.getMessage()})", "", "", line, column) from error
    except SAXException as error:
        raise InvalidScript(f"{what} is not XML ({error.getMessage()})") from error


def _named(match: re.Match[str]) -> str:
    if match[1] in _OWN:
        return match[0]
    return html.entities.html5.get(match[1] + ";", match[0])


def _local(name: str) -> str:
    return name.rsplit(":", 1)[-1].lower()
