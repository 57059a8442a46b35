"""PDF with a text layer: horizontal and vertical Japanese, ruby, running heads and page numbers left out.

PDF knows characters with places, no paragraphs: PDFium gives them, their order is found here.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from koebin.engine import limits
from koebin.engine.errors import BackendMissing, InvalidScript
from koebin.producers.formats.pdf_layout import Character, Paragraph, lines_of, paragraphs_of, without_margins
from koebin.producers.formats.script_builder import ScriptBuilder
from koebin.producers.formats.speaker_names import Cast

_LARGER: Final = 1.15
"""Times the size of the body that a heading has at least."""
_TITLE_CHARS: Final = 80


def read_pdf(file: Path | bytes, builder: ScriptBuilder, cast: Cast) -> None:
    """Add a document. Its bookmarks make the chapters; without any, larger print does.

    Running heads and feet and the numbers of pages are not read. A page that cannot be read, or that is a picture, is
    left out and told. Paragraphs are counted, as they have no lines.

    Raises:
        BackendMissing: the extra ``documents`` is not installed.
        InvalidScript: broken, locked with a password, or without a text.
    """
    document = _opened(file)
    try:
        if len(document) > limits.PDF_PAGES:
            raise InvalidScript(f"the PDF has more than {limits.PDF_PAGES} pages", str(len(document)), "Split it")
        _describe(document, builder)
        pages = []
        for number in range(len(document)):
            characters = _characters(document, number, builder)
            pages.append(lines_of(characters))
            if not characters:
                builder.leave_out("a page without a text", f"page {number + 1}", 0)
        _add(document, [paragraphs_of(lines) for lines in without_margins(pages)], builder, cast)
    finally:
        document.close()
    if not builder.speaks:
        hint = "Run a text recognition over it, such as ocrmypdf -l jpn"
        raise InvalidScript("the PDF holds no text, only pictures", "", hint)


def _opened(file: Path | bytes) -> Any:
    try:
        import pypdfium2
    except ModuleNotFoundError as error:
        hint = "Run: pip install 'koebin[documents]'"
        raise BackendMissing("PDF needs a package that is not installed", "pypdfium2", hint) from error
    try:
        return pypdfium2.PdfDocument(file if isinstance(file, bytes) else str(file))
    except FileNotFoundError as error:
        raise InvalidScript("no such file", str(file), "Check the path") from error
    except pypdfium2.PdfiumError as error:
        if "password" in str(error).lower():
            raise InvalidScript("the PDF is locked with a password", "", "Unlock it first") from error
        raise InvalidScript("not a PDF, or a broken one", "", "Check that the file is whole") from error


def _describe(document: Any, builder: ScriptBuilder) -> None:
    values = document.get_metadata_dict(skip_empty=True)
    title = " ".join(str(values.get("Title", "")).split())
    if title and not title.lower().endswith((".indd", ".doc", ".docx", ".tex", ".pdf", ".jtd")):
        builder.title = title
    builder.author = " ".join(str(values.get("Author", "")).split())


def _characters(document: Any, number: int, builder: ScriptBuilder) -> list[Character]:
    """The characters of a page in the order of its content, each with its box."""
    import pypdfium2
    from pypdfium2 import raw

    try:
        page = document[number]
        text = page.get_textpage()
    except pypdfium2.PdfiumError:
        builder.leave_out("a page cannot be read", f"page {number + 1}")
        return []
    count = min(text.count_chars(), limits.PDF_PAGE_CHARS)
    if text.count_chars() > count:
        builder.leave_out(f"more than {count} characters on a page", f"page {number + 1}")
    found: list[Character] = []
    box, x, y = raw.FS_RECTF(), ctypes.c_double(), ctypes.c_double()
    for index in range(count):
        code = raw.FPDFText_GetUnicode(text, index)
        if code in (0, 0xFFFE, 0xFFFF) or code > 0x10FFFF or 0xD800 <= code < 0xE000 or chr(code).isspace():
            continue
        if raw.FPDFText_IsGenerated(text, index) == 1:
            continue
        if not raw.FPDFText_GetLooseCharBox(text, index, box):  # the em box: a full stop stands in its middle, too
            continue
        width, height = abs(box.right - box.left), abs(box.top - box.bottom)
        size = raw.FPDFText_GetFontSize(text, index)
        raw.FPDFText_GetCharOrigin(text, index, x, y)
        found.append(
            Character(
                chr(code),
                (box.left + box.right) / 2,
                (box.bottom + box.top) / 2,
                max(width, 0.1),
                max(height, 0.1),
                max(size if size > 1.5 else max(width, height), 1.0),
                x.value,
                y.value,
            )
        )
    text.close()
    page.close()
    return found


def _bookmarks(document: Any) -> dict[int, list[str]]:
    """Titles of the two highest levels of bookmarks by the number of their page."""
    titles: dict[int, list[str]] = {}
    for item in document.get_toc(max_depth=2):
        destination = item.get_dest()
        index = destination.get_index() if destination else None
        title = " ".join((item.get_title() or "").split())
        if index is not None and title:
            titles.setdefault(index, []).append(title)
    return titles


def _add(document: Any, pages: list[list[Paragraph]], builder: ScriptBuilder, cast: Cast) -> None:
    try:
        marks = _bookmarks(document)
    except (ValueError, RuntimeError, IndexError):
        marks = {}
    body = _body_size(pages)
    for number, (title, paragraph) in enumerate(_titled(pages, marks), start=1):
        is_heading = not marks and paragraph.size > body * _LARGER and len(paragraph.text) <= _TITLE_CHARS
        if title or is_heading:
            builder.chapter(title or paragraph.text)
        builder.add(paragraph.text, cast.narrator, readings=paragraph.readings, line=number)


def _titled(pages: list[list[Paragraph]], marks: dict[int, list[str]]) -> Iterator[tuple[str, Paragraph]]:
    """Every paragraph, joined over the ends of pages, with the title of the chapter that it begins."""
    held: tuple[str, Paragraph] | None = None
    for index, paragraphs in enumerate(pages):
        waiting = list(marks.get(index, ()))
        unseen = [title for title in waiting if not any(_same(title, each.text) for each in paragraphs)]
        for paragraph in paragraphs:
            title = next((each for each in waiting if _same(each, paragraph.text)), unseen.pop() if unseen else "")
            if title:
                waiting = [each for each in waiting if each != title]
            if held and not title and held[1].goes_on_in(paragraph):
                held = held[0], held[1].joined(paragraph)
                continue
            if held:
                yield held
            held = title, paragraph
    if held:
        yield held


def _same(title: str, text: str) -> bool:
    bare = "".join(title.split())
    return bool(bare) and "".join(text.split()).startswith(bare)


def _body_size(pages: list[list[Paragraph]]) -> float:
    """The size that most characters have."""
    counts: dict[float, int] = {}
    for paragraphs in pages:
        for paragraph in paragraphs:
            size = round(paragraph.size, 1)
            counts[size] = counts.get(size, 0) + len(paragraph.text)
    return max(counts, key=lambda size: counts[size]) if counts else 0.0
