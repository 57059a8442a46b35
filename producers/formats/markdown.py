"""Markdown: headings of the two highest levels become chapters, everything else is read as paragraphs."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from markdown_it import MarkdownIt
from markdown_it.rules_inline import StateInline
from markdown_it.rules_inline.state_inline import Delimiter
from markdown_it.token import Token

from koebin.engine.errors import InvalidScript
from koebin.engine.text.checks import MAX_LINE_CHARS
from koebin.producers.formats.markup import MarkupReader, plain_title
from koebin.producers.formats.places import Places
from koebin.producers.formats.script_builder import ScriptBuilder
from koebin.producers.formats.speaker_names import Cast
from koebin.producers.formats.stylesheet import StyleSheet, is_hidden
from koebin.producers.formats.white_space import JAPANESE

_TAG: Final = re.compile(r"<[^<>]*>")
_RUBY: Final = re.compile(r"<(/?)(ruby|rt|rp|rb|br)\b[^<>]*>", re.IGNORECASE)
# Control characters, which no text holds that has come this far, mark what is not to be said as it stands.
_SOFT, _ASIDE, _BACK = "\x00", "\x01", "\x02"
_PARENTHESES: Final = re.compile(f"{_ASIDE}[^{_ASIDE}{_BACK}]*{_BACK}")
_JOINT: Final = re.compile(f"(?<=[{JAPANESE}]){_SOFT}(?=[{JAPANESE}])")
_MAX_NESTING: Final = 60
MAX_BRACKETS: Final = 50
"""Of a paragraph, open at once; each costs the parser a look through the rest of it."""
_BRACKET: Final = re.compile(r"(?<!\\)[\[\]]")
_NOTE: Final = re.compile(r"^ {0,3}\[\^([^\]\s]{1,80})\]:(?=[ \t])", re.MULTILINE)
_NOTE_MARK: Final = re.compile(r"\[\^([^\]\s]{1,80})\]")
_PROPERTY: Final = re.compile(r"(title|author|authors|series|volume)\s*:\s*(.*)")
_LISTED: Final = re.compile(r"\s+-\s+(.+)|\s*-\s+(.+)")
_MARKUP: Final = re.compile(r"([\\\[［｜|《])")
_BOX: Final = re.compile(r"\[[ xX]\][ \t]+")
"""Begins a task of a list."""
_FENCE: Final = re.compile(r"^ {0,3}:{3,}[ \t]*(?:\{[^{}\n]{0,200}\}|[a-z][\w-]{0,40})?[ \t]*", re.MULTILINE)
"""Marks of a box around paragraphs, as several tools have them."""
_OPENING: Final = re.compile(r"<([a-z][a-z0-9]{0,20})\b([^<>]{0,2000})>", re.IGNORECASE)
_ATTRIBUTE: Final = re.compile(r"([A-Za-z-]{1,40})(?:=(\"[^\"]*\"|'[^']*'|[^\s\"'<>]+))?")
_VOID: Final = frozenset(("img", "br", "hr", "input", "wbr", "meta", "link", "source"))
_EASTERN: Final = re.compile(f"[{JAPANESE}]")


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
    text = _FENCE.sub("", text)
    source = text.split("\n")
    parser = MarkdownIt("commonmark", {"maxNesting": _MAX_NESTING}).disable("text_join")
    parser.enable(["table", "strikethrough"]).inline.ruler.at("emphasis", _emphasis)
    _refuse_length(source)
    _refuse_brackets(source)
    tokens = parser.parse(text)
    _refuse_depth(tokens)
    paragraphs = list(_paragraphs(tokens))
    title = _title(paragraphs)
    headings = [each.level for each in paragraphs if each.level and each is not title]
    levels = set(sorted(set(headings))[:2])
    reader = MarkupReader(builder, cast)
    for paragraph in paragraphs:
        if paragraph is title or paragraph.level in levels:
            builder.chapter(plain_title(paragraph.text))
        if paragraph is title:
            builder.title = builder.title or plain_title(paragraph.text)
        _add(paragraph, source, reader)
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


def _refuse_brackets(source: Sequence[str]) -> None:
    """Each bracket of a paragraph that is not closed costs the parser a look through the rest of it."""
    depth = 0
    for number, row in enumerate(source, start=1):
        depth = 0 if not row.strip() else depth
        for sign in _BRACKET.findall(row):
            depth = depth + 1 if sign == "[" else max(0, depth - 1)
            if depth > MAX_BRACKETS:
                what = f"a paragraph has more than {MAX_BRACKETS} brackets that are open at once"
                raise InvalidScript(what, "", "Write \\[ for a plain bracket", number, 1)


def _refuse_depth(tokens: Sequence[Token]) -> None:
    """The parser leaves out what is nested deeper than it goes, without a word."""
    for token in tokens:
        if token.level >= _MAX_NESTING - 2:
            line = token.map[0] + 1 if token.map else 0
            raise InvalidScript("lists and quotations are nested too deeply", "", "Use fewer levels", line, 1)


def _add(paragraph: _Paragraph, source: Sequence[str], reader: MarkupReader) -> None:
    reader.paragraph(paragraph.text, Places(paragraph.text, source, paragraph.line))


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
    found: dict[str, list[str]] = {}
    name = ""
    for row in rows[1:end]:
        if listed := _LISTED.fullmatch(row):
            found.setdefault(name, []).append(_property(listed[1] or listed[2]))
        elif row.strip() and not row.lstrip().startswith("#"):
            named = _PROPERTY.fullmatch(row.rstrip())
            name = named[1] if named else ""
            if named and (value := named[2].split(" #")[0].strip()):
                inner = value[1:-1].split(",") if value.startswith("[") and value.endswith("]") else [value]
                found[name] = [_property(each) for each in inner]
    builder.title = builder.title or "".join(found.get("title", ())[:1])
    builder.author = builder.author or "、".join(filter(None, found.get("author") or found.get("authors") or ()))
    builder.series, builder.volume = ("".join(found.get(each, ())[:1]) for each in ("series", "volume"))
    return "\n" * (end + 1) + "\n".join(rows[end + 1 :])


def _property(value: str) -> str:
    """A value of YAML, as far as titles and names need it; of ``name: …`` the name."""
    return re.sub(r"^name:\s*", "", value.strip()).strip().strip("\"'")


def _with_plain_notes(text: str) -> str:
    """Footnotes are read where they are written, as if they were a list; their marks are not."""
    labels = set(_NOTE.findall(text))
    return _NOTE_MARK.sub(lambda mark: "" if mark[1] in labels else mark[0], _NOTE.sub("-", text))


def _paragraphs(tokens: Sequence[Token]) -> Iterator[_Paragraph]:
    cells: list[str] = []
    level, row_line, in_row = 0, 0, False
    in_item = False
    for token in tokens:
        line = token.map[0] + 1 if token.map else 0
        in_item = token.type == "list_item_open" or (in_item and token.type in ("paragraph_open", "inline"))
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
                text = _inline(token.children or [])
                yield _Paragraph(_BOX.sub("", text, count=1) if in_item and _BOX.match(text) else text, line, level)
            case "fence" | "code_block":
                yield _Paragraph(_literal(token.content), line + (token.type == "fence"))
            case "html_block":
                yield _Paragraph(_from_html(token.content), line)


def _inline(tokens: Sequence[Token]) -> str:
    """The text of a paragraph; ruby of HTML becomes ours, and lines are joined as Japanese joins them.

    What the author escaped or wrote as code has its backslash, so that it is no markup of ours either.
    """
    parts: list[str] = []
    silent = ""
    for token in tokens:
        if silent:
            silent = "" if token.type == "html_inline" and token.content.lower().startswith(f"</{silent}") else silent
            continue
        match token.type:
            case "text":
                parts.append(token.content)
            case "text_special" if token.content.startswith("\\") and len(token.content) > 1:
                parts.append(token.content)  # a backslash that escapes nothing in Markdown
            case "text_special" | "code_inline":
                parts.append(_literal(token.content))
            case "softbreak":
                parts.append(_SOFT)
            case "hardbreak":
                parts.append("\n")
            case "html_inline":
                silent = _silences(token.content)
                parts.append(_ruby(token.content))
            case "image":
                parts.append(_inline(token.children or []))
    return _JOINT.sub("", _PARENTHESES.sub("", "".join(parts))).replace(_SOFT, " ")


def _emphasis(state: StateInline, silent: bool) -> bool:
    """The parser's rule for ``*`` and ``_``, but that Japanese beside a mark needs no blank around it."""
    marker = state.src[state.pos]
    if silent or marker not in "*_":
        return False
    scanned = state.scanDelims(state.pos, marker == "*")
    end = state.pos + scanned.length
    before, after = state.src[max(0, state.pos - 1) : state.pos] or " ", state.src[end : end + 1] or " "
    eastern = bool(_EASTERN.match(before) or _EASTERN.match(after)) and (marker == "*" or scanned.length > 1)
    opens = scanned.can_open or (eastern and not after.isspace())
    closes = scanned.can_close or (eastern and not before.isspace())
    for _ in range(scanned.length):
        state.push("text", "", 0).content = marker
        mark = Delimiter(ord(marker), scanned.length, len(state.tokens) - 1, -1, opens, closes)
        state.delimiters.append(mark)
    state.pos += scanned.length
    return True


def _literal(text: str) -> str:
    """Text that is said as it stands, whatever it looks like."""
    return _MARKUP.sub(r"\\\1", text)


def _silences(tag: str) -> str:
    """The element that a tag opens, if nothing in it is said."""
    found = _OPENING.fullmatch(tag)
    name = found[1].lower() if found else ""
    if not found or name in _VOID or found[2].endswith("/"):
        return ""
    attributes = {each[1].lower(): (each[2] or "").strip("\"'") for each in _ATTRIBUTE.finditer(found[2])}
    silent = name in ("style", "script", "template", "noscript") or is_hidden(name, attributes, StyleSheet())
    return name if silent else ""


def _from_html(content: str) -> str:
    """What a block of HTML says; style sheets, scripts and comments say nothing."""
    for start, end in (("<!--", "-->"), ("<style", "</style>"), ("<script", "</script>")):
        content = _blanked(content, start, end)
    content = _shown(content)
    return html.unescape(_PARENTHESES.sub("", _TAG.sub(lambda tag: _ruby(tag[0]), content)))


def _shown(content: str) -> str:
    """A block of HTML without the elements that are not shown, each up to the first end of one like it."""
    folded, parts, position = content.lower(), [], 0
    for tag in _OPENING.finditer(content):
        if tag.start() >= position and (name := _silences(tag[0])):
            last = folded.find(f"</{name}", tag.end())
            last = len(content) if last < 0 else last
            parts += [content[position : tag.start()], "\n" * content.count("\n", tag.start(), last)]
            position = last
    return "".join([*parts, content[position:]])


def _blanked(content: str, start: str, end: str) -> str:
    folded, parts, position = content.lower(), [], 0
    while (first := folded.find(start, position)) >= 0:
        last = folded.find(end, first)
        last = len(content) if last < 0 else last + len(end)
        parts += [content[position:first], "\n" * content.count("\n", first, last)]
        position = last
    return "".join([*parts, content[position:]])


def _ruby(tag: str) -> str:
    """``<ruby>漢字<rt>かんじ</rt></ruby>`` as ``｜漢字《かんじ》``; any other tag says nothing."""
    found = _RUBY.fullmatch(tag)
    if not found:
        return ""
    return {"ruby": "｜", "/rt": "》", "rt": "《", "br": "\n", "rp": _ASIDE, "/rp": _BACK}.get(
        found[1] + found[2].lower(), ""
    )
