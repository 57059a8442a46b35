"""Text of Aozora Bunko: ruby, notes, and a head and a foot that are not part of the work.

Source: the annotation manual of Aozora Bunko, https://www.aozora.gr.jp/annotation/
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from itertools import pairwise
from typing import Final

from koebin.producers.formats.aozora_characters import accented, character_of
from koebin.producers.formats.builder import ScriptBuilder
from koebin.producers.formats.markup import MarkupReader, lines
from koebin.producers.formats.voice import Cast

Line = tuple[int, str]

_GAIJI: Final = re.compile(r"※［＃([^［］]*)］")
_NOTE: Final = re.compile(r"［＃[^［］]*］")
_HEADING: Final = re.compile(r"［＃「(?P<title>[^\n［］]{0,200})」は(?:同行|窓)?(?P<level>[大中小])見出し］")
_HEADING_START: Final = re.compile(r"［＃(?:ここから)?(?:同行|窓)?(?P<level>[大中小])見出し］")
_HEADING_END: Final = re.compile(r"［＃(?:ここで)?(?:同行|窓)?[大中小]見出し終わり］")
_PAGE_BREAK: Final = re.compile(r"［＃改(?:ページ|丁|見開き)］")
_FOOT: Final = re.compile(r"底本[：:]")
_RULE: Final = re.compile(r"[-－]{10,}\s*")
_EXPLANATION: Final = "【テキスト中に現れる記号について】"
_RUBY: Final = re.compile(r"\\(?P<plain>[\\《｜［])|《[^《》]*》|｜")
_REPEAT: Final = re.compile(r"／(″)?＼")
_LAST_WORD: Final = re.compile(r"(?:[\u3400-\u9fff々〇]{1,3}[ぁ-ん]?|[ぁ-ん]{2}|[ァ-ヶー]{2}|[ぁ-んァ-ヶ])$")
_CREDIT: Final = re.compile(r"(?:訳|譯|編|編纂|校訂|校註|著訳)$")
_LONGEST_HEAD: Final = 6
_LONGEST_FOOT: Final = 80


def read_aozora(text: str, builder: ScriptBuilder, cast: Cast) -> None:
    """Add a work of Aozora Bunko.

    The head gives title and author and is spoken first. The explanation of the marks and the foot (``底本：…``) are
    about the file, not of the work, and are left out; so are the notes on its print.

    Raises:
        InvalidScript: a mistake in our own markup.
    """
    head, body = _split(list(lines(text)))
    levels = _chapter_levels(line for _, line in body)
    reader = MarkupReader(builder, cast, ruby="lenient")
    _add_head(head, builder, reader)
    awaited = ""
    for number, line in body:
        if _PAGE_BREAK.match(line.strip()):
            builder.end("chapter")
        level, title = _heading(line)
        if awaited and not level:
            level, title = awaited, _title(line)
        if level in levels and title:
            builder.chapter(title)
        awaited = level if level in levels and not title and not _HEADING_END.search(line) else ""
        _add(number, line, reader)
        if _PAGE_BREAK.search(line):
            builder.end("chapter")
    reader.finish()


def plain(line: str) -> str:
    """A line without its notes: characters that are described become characters, ruby stays.

    What would be markup and is not meant so has a backslash before it: Aozora Bunko describes a 《 that is no ruby.
    """
    line = _GAIJI.sub(_described, line.replace("\\", "\\\\"))
    while (shorter := _NOTE.sub("", line)) != line:
        line = shorter
    return _REPEAT.sub(_written_out, accented(line))


def _add(number: int, line: str, reader: MarkupReader) -> None:
    spoken = plain(line)
    # Notes that were taken out shift the columns: look for what stands there.
    reader.paragraph(spoken, lambda offset: (number, max(0, line.find(spoken[offset : offset + 8])) + 1))


def _split(everything: list[Line]) -> tuple[list[Line], list[Line]]:
    """The lines of the head and of the work."""
    body = everything[: _foot(everything)]
    explanation = _explanation(body)
    if explanation:
        start, end = explanation
        return [each for each in body[:start] if each[1].strip()], body[end:]
    if len(body) == len(everything):
        return [], body
    start = next((index for index, (_, line) in enumerate(body) if line.strip()), 0)
    end = next((index for index, (_, line) in enumerate(body) if index > start and not line.strip()), len(body))
    if not 1 <= end - start <= _LONGEST_HEAD:
        return [], body
    return body[start:end], body[end:]


def _foot(everything: list[Line]) -> int:
    """Where the foot begins; the number of lines if there is none."""
    first = max(0, len(everything) - _LONGEST_FOOT)
    return next((i for i in range(first, len(everything)) if _FOOT.match(everything[i][1])), len(everything))


def _explanation(body: list[Line]) -> tuple[int, int] | None:
    """First line of the explanation of the marks, and the line after its last."""
    rules = [index for index, (_, line) in enumerate(body[:100]) if _RULE.fullmatch(line)]
    for start, end in pairwise(rules):
        if any(_EXPLANATION in line for _, line in body[start:end]):
            return start, end + 1
    return None


def _add_head(head: list[Line], builder: ScriptBuilder, reader: MarkupReader) -> None:
    if not head:
        return
    names = [_title(line) for _, line in head]
    builder.title = names[0]
    builder.author = next((name for name in reversed(names[1:]) if not _CREDIT.search(name)), "")
    builder.chapter(builder.title)
    for number, line in head:
        _add(number, line, reader)


def _chapter_levels(body: Iterable[str]) -> set[str]:
    """The two highest levels of headings that the work has: those below them are too many to be chapters."""
    found = {match["level"] for line in body for match in (_HEADING.search(line), _HEADING_START.search(line)) if match}
    return set([level for level in "大中小" if level in found][:2])


def _heading(line: str) -> tuple[str, str]:
    """Level and title of the heading that the line holds or begins; empty if it does neither."""
    if note := _HEADING.search(line):
        return note["level"], _title(note["title"])
    if start := _HEADING_START.search(line):
        rest = line[start.end() :]
        ended = _HEADING_END.search(rest)
        return start["level"], _title(rest[: ended.start()] if ended else rest)
    return "", ""


def _described(note: re.Match[str]) -> str:
    character = character_of(note[1])
    return f"\\{character}" if character in "《｜［" else character


def _title(line: str) -> str:
    return _without_ruby(plain(line)).strip()


def _without_ruby(text: str) -> str:
    return _RUBY.sub(lambda mark: mark["plain"] or "", text)


def _written_out(mark: re.Match[str]) -> str:
    """``いろ／＼`` as ``いろいろ``, ``それ／″＼`` as ``それぞれ``: the word before the mark again."""
    before = _without_ruby(mark.string[max(0, mark.start() - 40) : mark.start()])
    word = _LAST_WORD.search(before)
    if not word:
        return "〱"
    return _voiced(word[0]) if mark[1] else word[0]


def _voiced(word: str) -> str:
    first = unicodedata.normalize("NFC", word[0] + "\u3099")
    return (first if len(first) == 1 else word[0]) + word[1:]
