"""Markdown: headings of the two highest levels become chapters, everything else is read as paragraphs."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from markdown_it import MarkdownIt
from markdown_it.token import Token

from koebin.engine.errors import InvalidScript
from koebin.engine.text.checks import MAX_LINE_CHARS
from koebin.producers.formats.builder import ScriptBuilder
from koebin.producers.formats.markup import MarkupReader
from koebin.producers.formats.voice import Cast
from koebin.producers.formats.xhtml import JAPANESE

_TAG: Final = re.compile(r"<[^<>]*>")
_RUBY: Final = re.compile(r"<(/?)(ruby|rt|rp|rb|br)\b[^<>]*>", re.IGNORECASE)
# Control characters, which no text holds that has come this far, mark what is not to be said as it stands.
_SOFT, _ASIDE, _BACK = "\x00", "\x01", "\x02"
_PARENTHESES: Final = re.compile(f"{_ASIDE}[^{_ASIDE}{_BACK}]*{_BACK}")
_JOINT: Final = re.compile(f"(?<=[{JAPANESE}]){_SOFT}(?=[{JAPANESE}])")
_MAX_NESTING: Final = 60
_NOTE: Final = re.compile(r"^ {0,3}\[\^([^\]\s]{1,80})\]:(?=[ \t])", re.MULTILINE)
_NOTE_MARK: Final = re.compile(r"\[\^([^\]\s]{1,80})\]")
_PROPERTY: Final = re.compile(r"(title|author)\s*:\s*(.+)")


@dataclass(frozen=True, slots=True)
class _Paragraph:
    """What a block says; ``level`` is that of a heading, 0 elsewhere; ``line`` counts from 1."""

    text: str
    line: int
    level: int = 0


def read_markdown(text: str, builder: ScriptBuilder, cast: Cast) -> None:
    """Add a Markdown document (CommonMark with tables).

    A single heading of level 1 at the beginning is the title; it opens a chapter as the others do.

    Raises:
        InvalidScript: a mistake in our markup.
    """
    text = _with_plain_notes(_without_properties(text.replace("\r\n", "\n").replace("\r", "\n"), builder))
    source = text.split("\n")
    parser = MarkdownIt("commonmark", {"maxNesting": _MAX_NESTING}).enable("table")
    _refuse_length(source)
    tokens = parser.parse(text)
    _refuse_depth(tokens)
    paragraphs = list(_paragraphs(tokens))
    title = _title(paragraphs)
    headings = [each.level for each in paragraphs if each.level and each is not title]
    levels = set(sorted(set(headings))[:2])
    reader = MarkupReader(builder, cast)
    for paragraph in paragraphs:
        is_chapter = paragraph is title or paragraph.level in levels
        if is_chapter:
            builder.chapter("")
        _add(paragraph, source, reader)
        if is_chapter:
            builder.entitle()
        if paragraph is title:
            builder.title = builder.title or builder.chapter_title
    reader.finish()


def _refuse_length(source: Sequence[str]) -> None:
    """A paragraph becomes one line of speech, and the parser's time grows faster than its length."""
    length, start = 0, 1
    for number, row in enumerate(source, start=1):
        if not row.strip():
            length, start = 0, number + 1
        length += len(row)
        if length > MAX_LINE_CHARS:
            what = f"a paragraph has more than {MAX_LINE_CHARS} characters"
            raise InvalidScript(what, "", "Leave an empty line between paragraphs", start, 1)


def _refuse_depth(tokens: Sequence[Token]) -> None:
    """The parser leaves out what is nested deeper than it goes, without a word."""
    for token in tokens:
        if token.level >= _MAX_NESTING - 2:
            line = token.map[0] + 1 if token.map else 0
            raise InvalidScript("lists and quotations are nested too deeply", "", "Use fewer levels", line, 1)


def _add(paragraph: _Paragraph, source: Sequence[str], reader: MarkupReader) -> None:
    def place(offset: int) -> tuple[int, int]:
        # Emphasis and links that were taken out shift the columns: look for what stands there.
        line = paragraph.line + paragraph.text.count("\n", 0, offset)
        wanted = paragraph.text[offset : offset + 8].split("\n")[0]
        for number in range(line, min(line + 50, len(source)) + 1):
            column = source[number - 1].find(wanted) if wanted else -1
            if column >= 0:
                return number, column + 1
        return line, 0

    reader.paragraph(paragraph.text, place)


def _title(paragraphs: Sequence[_Paragraph]) -> _Paragraph | None:
    """The first paragraph, if it is the only heading of level 1."""
    first = [each for each in paragraphs if each.level == 1]
    return first[0] if len(first) == 1 and paragraphs[0] is first[0] else None


def _without_properties(text: str, builder: ScriptBuilder) -> str:
    """Take off the ``---`` block of properties that other tools write; title and author are used."""
    rows = text.split("\n")
    if rows[0].rstrip() != "---":
        return text
    end = next((index for index, row in enumerate(rows) if index and row.rstrip() in ("---", "...")), 0)
    if not end or not any(re.match(r"[\w-]+\s*:", row) for row in rows[1:end]):
        return text
    for row in rows[1:end]:
        if found := _PROPERTY.fullmatch(row.strip()):
            value = found[2].strip().strip("\"'")
            builder.title, builder.author = (value, builder.author) if found[1] == "title" else (builder.title, value)
    return "\n" * (end + 1) + "\n".join(rows[end + 1 :])


def _with_plain_notes(text: str) -> str:
    """Footnotes are read where they are written, as if they were a list; their marks are not."""
    labels = set(_NOTE.findall(text))
    return _NOTE_MARK.sub(lambda mark: "" if mark[1] in labels else mark[0], _NOTE.sub("-", text))


def _paragraphs(tokens: Sequence[Token]) -> Iterator[_Paragraph]:
    cells: list[str] = []
    level, row_line, in_row = 0, 0, False
    for token in tokens:
        line = token.map[0] + 1 if token.map else 0
        match token.type:
            case "heading_open":
                level = int(token.tag[1])
            case "heading_close":
                level = 0
            case "tr_open":
                in_row, cells, row_line = True, [], line
            case "tr_close":
                in_row = False
                yield _Paragraph("、".join(cells), row_line)
            case "inline" if in_row:
                cells += [text] if (text := _inline(token.children or [])) else []
            case "inline":
                yield _Paragraph(_inline(token.children or []), line, level)
            case "fence" | "code_block":
                yield _Paragraph(token.content, line + (token.type == "fence"))
            case "html_block":
                yield _Paragraph(_from_html(token.content), line)


def _inline(tokens: Sequence[Token]) -> str:
    """The text of a paragraph; ruby of HTML becomes ours, and lines are joined as Japanese joins them."""
    parts: list[str] = []
    for token in tokens:
        match token.type:
            case "text" | "code_inline":
                parts.append(token.content)
            case "softbreak":
                parts.append(_SOFT)
            case "hardbreak":
                parts.append("\n")
            case "html_inline":
                parts.append(_ruby(token.content))
            case "image":
                parts.append(_inline(token.children or []))
    return _JOINT.sub("", _PARENTHESES.sub("", "".join(parts))).replace(_SOFT, " ")


def _from_html(content: str) -> str:
    while (start := content.find("<!--")) >= 0 and (end := content.find("-->", start)) >= 0:
        content = content[:start] + "\n" * content.count("\n", start, end) + content[end + 3 :]
    return html.unescape(_PARENTHESES.sub("", _TAG.sub(lambda tag: _ruby(tag[0]), content)))


def _ruby(tag: str) -> str:
    """``<ruby>漢字<rt>かんじ</rt></ruby>`` as ``｜漢字《かんじ》``; any other tag says nothing."""
    found = _RUBY.fullmatch(tag)
    if not found:
        return ""
    return {"ruby": "｜", "/rt": "》", "rt": "《", "br": "\n", "rp": _ASIDE, "/rp": _BACK}.get(
        found[1] + found[2].lower(), ""
    )
