"""EPUB 3 of a programme with media overlays: a reader turns the pages and highlights each sentence as it is spoken.

Source: EPUB 3.3, https://www.w3.org/TR/epub-33/, section 9. The same programme gives the same bytes.
"""

from __future__ import annotations

import hashlib
import html
import re
import uuid
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from koebin.engine.audio.formats import EPUB_FORMATS
from koebin.engine.audio.marks import Mark, Marks
from koebin.engine.reading import Reading

_MODIFIED: Final = "2000-01-01T00:00:00Z"
"""The standard asks for a date; none of ours, so that the same programme is the same file."""
_EPOCH: Final = (1980, 1, 1, 0, 0, 0)
_UNWRITABLE: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]")
_NO_KANA: Final = re.compile("[^ぁ-ゖァ-ヺー]")
_ACTIVE: Final = "-epub-media-overlay-active"
_STYLE: Final = f"""body {{ line-height: 1.8; margin: 1em; }}
h1 {{ font-size: 1.4em; }}
p {{ margin: 0 0 0.8em; text-indent: 1em; }}
.name {{ font-weight: bold; }}
.{_ACTIVE} {{ background-color: #fff1b8; color: #000; }}
"""
_CONTAINER: Final = """<?xml version="1.0" encoding="UTF-8"?>
<container version="1.0" xmlns="urn:oasis:names:tc:opendocument:xmlns:container">
<rootfiles><rootfile full-path="EPUB/package.opf" media-type="application/oebps-package+xml"/></rootfiles>
</container>
"""


@dataclass(slots=True)
class _Page:
    """A chapter's page as it grows."""

    title: str
    audio: str
    text: list[str] = field(default_factory=list)
    overlay: list[str] = field(default_factory=list)
    seconds: float = 0.0


@dataclass(slots=True)
class EpubBook:
    """Book of one programme; sentences are added in the order of time.

    Attributes:
        chapters: their titles.
        audio: the file that each chapter's sound is in, as it will be called in the book.
        series, volume: the collection it belongs to, and its place there; "" for none.
    """

    title: str
    authors: Sequence[str]
    chapters: Sequence[str]
    audio: Sequence[str]
    series: str = ""
    volume: str = ""
    _pages: list[_Page] = field(default_factory=list)
    _count: int = 0
    _paragraph: tuple[int, str] | None = None
    _named: str = ""

    def add(
        self,
        marks: Marks,
        chapter: int,
        line: int,
        name: str | None,
        text: str = "",
        readings: Sequence[Reading] = (),
    ) -> None:
        """Add the next sentences, in seconds from the beginning of their audio file.

        Args:
            name, text, readings: as in ``Place``.
        """
        while len(self._pages) <= chapter:
            self._close()
            number = len(self._pages)
            self._pages.append(_Page(self.chapters[number], self.audio[number]))
            self._paragraph, self._named = None, ""
        page = self._pages[chapter]
        position = 0
        for sentence in marks.sentences:
            start = text.find(sentence.text, position) if readings else -1
            position = start + len(sentence.text) if start >= 0 else position
            written = _with_ruby(sentence.text, _within(readings, start, position) if start >= 0 else ())
            self._sentence(page, sentence, written, line, name or "")

    def write(self, path: Path, audio: Mapping[str, Path], cover: Path | None) -> None:
        """Write the book.

        Args:
            audio: the sound files by their names in the book.
            cover: a picture in JPEG or PNG.
        """
        self._close()
        with zipfile.ZipFile(path, "w", allowZip64=True) as archive:
            _put(archive, "mimetype", b"application/epub+zip", stored=True)
            _put(archive, "META-INF/container.xml", _CONTAINER.encode())
            _put(archive, "EPUB/package.opf", self._package(sorted(audio), cover).encode())
            _put(archive, "EPUB/nav.xhtml", self._nav().encode())
            _put(archive, "EPUB/style.css", _STYLE.encode())
            for number, page in enumerate(self._pages, start=1):
                _put(archive, f"EPUB/chapter-{number:04d}.xhtml", self._text(page).encode())
                _put(archive, f"EPUB/chapter-{number:04d}.smil", self._overlay(number, page).encode())
            if cover:
                _put(archive, f"EPUB/{cover.name}", cover.read_bytes(), stored=True)
            for name, file in sorted(audio.items()):
                info = _info(f"EPUB/{name}", stored=True)
                with archive.open(info, "w", force_zip64=True) as inside, file.open("rb") as source:
                    while block := source.read(1 << 20):
                        inside.write(block)

    def _sentence(self, page: _Page, sentence: Mark, written: str, line: int, name: str) -> None:
        self._count += 1
        start, end = sentence.start, sentence.end
        heading = not page.text and bool(page.title) and _same(sentence.text, page.title)
        if heading:
            page.text.append(f'<h1 id="s{self._count}">{written}</h1>\n')
        else:
            if self._paragraph != (line, name) or not page.text or page.text[-1].endswith("</h1>\n"):
                self._close()
                said = f'<span class="name">{_escaped(name)}</span>　' if name and name != self._named else ""
                page.text.append(f"<p>{said}")
                self._paragraph, self._named = (line, name), name
            page.text.append(f'<span id="s{self._count}">{written}</span>')
        if end - start > 0.001:
            number = len(self._pages)
            page.overlay.append(
                f'<par id="p{self._count}"><text src="chapter-{number:04d}.xhtml#s{self._count}"/>'
                f'<audio src="{page.audio}" clipBegin="{start:.3f}s" clipEnd="{end:.3f}s"/></par>\n'
            )
            page.seconds += round(end, 3) - round(start, 3)

    def _close(self) -> None:
        """End the paragraph that is open."""
        if self._pages and self._pages[-1].text and self._paragraph is not None:
            self._pages[-1].text.append("</p>\n")
        self._paragraph = None

    def _text(self, page: _Page) -> str:
        title = _escaped(page.title or self.title or "…")
        return _XHTML.format(title=title, body=f'<section epub:type="chapter">\n{"".join(page.text)}</section>')

    def _overlay(self, number: int, page: _Page) -> str:
        return (
            '<?xml version="1.0" encoding="UTF-8"?>\n<smil xmlns="http://www.w3.org/ns/SMIL" '
            'xmlns:epub="http://www.idpf.org/2007/ops" version="3.0">\n<body>\n'
            f'<seq id="seq" epub:textref="chapter-{number:04d}.xhtml" epub:type="chapter">\n'
            f"{''.join(page.overlay)}</seq>\n</body>\n</smil>\n"
        )

    def _nav(self) -> str:
        rows = "".join(
            f'<li><a href="chapter-{number:04d}.xhtml">{_escaped(page.title or self.title or str(number))}</a></li>\n'
            for number, page in enumerate(self._pages, start=1)
        )
        body = f'<nav epub:type="toc" id="toc"><h1>目次</h1>\n<ol>\n{rows}</ol></nav>'
        return _XHTML.format(title="目次", body=body)

    def _package(self, audio: Sequence[str], cover: Path | None) -> str:
        numbers = range(1, len(self._pages) + 1)
        total = sum(page.seconds for page in self._pages)
        metadata = [
            f'<dc:identifier id="id">urn:uuid:{self._identity()}</dc:identifier>',
            f"<dc:title>{_escaped(self.title or '無題')}</dc:title>",
            "<dc:language>ja</dc:language>",
            f'<meta property="dcterms:modified">{_MODIFIED}</meta>',
            f'<meta property="media:duration">{total:.3f}s</meta>',
            f'<meta property="media:active-class">{_ACTIVE}</meta>',
            *(
                f'<meta property="media:duration" refines="#o{number}">{page.seconds:.3f}s</meta>'
                for number, page in zip(numbers, self._pages, strict=True)
            ),
        ]
        metadata += [f"<dc:creator>{_escaped(author)}</dc:creator>" for author in self.authors]
        if self.series:
            metadata.append(f'<meta property="belongs-to-collection" id="series">{_escaped(self.series)}</meta>')
            metadata.append('<meta property="collection-type" refines="#series">series</meta>')
            if self.volume:
                place = _escaped(self.volume)
                metadata.append(f'<meta property="group-position" refines="#series">{place}</meta>')
        items = [
            '<item id="nav" href="nav.xhtml" media-type="application/xhtml+xml" properties="nav"/>',
            '<item id="css" href="style.css" media-type="text/css"/>',
        ]
        for number in numbers:
            page = f'href="chapter-{number:04d}.xhtml" media-type="application/xhtml+xml" media-overlay="o{number}"'
            items.append(f'<item id="c{number}" {page}/>')
            items.append(f'<item id="o{number}" href="chapter-{number:04d}.smil" media-type="application/smil+xml"/>')
        for number, name in enumerate(audio, start=1):
            kind = EPUB_FORMATS[name.rpartition(".")[2]]
            items.append(f'<item id="a{number}" href="{name}" media-type="{kind}"/>')
        if cover:
            kind = "image/png" if cover.suffix == ".png" else "image/jpeg"
            items.append(f'<item id="cover" href="{cover.name}" media-type="{kind}" properties="cover-image"/>')
        spine = "".join(f'<itemref idref="c{number}"/>\n' for number in numbers)
        return (
            '<?xml version="1.0" encoding="UTF-8"?>\n<package xmlns="http://www.idpf.org/2007/opf" version="3.0" '
            'unique-identifier="id" xml:lang="ja">\n<metadata xmlns:dc="http://purl.org/dc/elements/1.1/">\n'
            + "\n".join(metadata)
            + "\n</metadata>\n<manifest>\n"
            + "\n".join(items)
            + f"\n</manifest>\n<spine>\n{spine}</spine>\n</package>\n"
        )

    def _identity(self) -> uuid.UUID:
        digest = hashlib.sha256(f"{self.title}\n{'、'.join(self.authors)}\n".encode(errors="replace"))
        for page in self._pages:
            digest.update("".join(page.text).encode())
        return uuid.UUID(bytes=digest.digest()[:16], version=5)


_XHTML: Final = """<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE html>
<html xmlns="http://www.w3.org/1999/xhtml" xmlns:epub="http://www.idpf.org/2007/ops" lang="ja" xml:lang="ja">
<head><title>{title}</title><link rel="stylesheet" type="text/css" href="style.css"/></head>
<body>
{body}
</body>
</html>
"""


def _escaped(text: str) -> str:
    return html.escape(_UNWRITABLE.sub("", text).replace("\n", " "), quote=True)


def _within(readings: Sequence[Reading], start: int, end: int) -> list[Reading]:
    """Those of a sentence, counted from its beginning."""
    inside = (each for each in readings if start <= each.start and each.end <= end)
    return [replace(each, start=each.start - start, end=each.end - start) for each in inside]


def _with_ruby(text: str, readings: Sequence[Reading]) -> str:
    """A sentence as markup, with readings above the words that are not kana themselves."""
    parts, position = [], 0
    for reading in readings:
        word, kana = text[reading.start : reading.end], _NO_KANA.sub("", reading.kana)
        if reading.start < position or not kana or not _NO_KANA.search(word):
            continue
        parts.append(_escaped(text[position : reading.start]))
        parts.append(f"<ruby>{_escaped(word)}<rt>{kana}</rt></ruby>")
        position = reading.end
    return "".join([*parts, _escaped(text[position:])])


def _same(text: str, title: str) -> bool:
    return "".join(text.split()) == "".join(title.split())


def _info(name: str, *, stored: bool) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, _EPOCH)
    info.compress_type = zipfile.ZIP_STORED if stored else zipfile.ZIP_DEFLATED
    info.external_attr = 0o644 << 16
    return info


def _put(archive: zipfile.ZipFile, name: str, data: bytes, *, stored: bool = False) -> None:
    archive.writestr(_info(name, stored=stored), data)
