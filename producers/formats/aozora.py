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
from koebin.producers.formats.markup import MarkupReader, lines
from koebin.producers.formats.places import Places
from koebin.producers.formats.ruby import UNKNOWN
from koebin.producers.formats.script_builder import ScriptBuilder
from koebin.producers.formats.speaker_names import Cast

Line = tuple[int, str]

_GAIJI: Final = re.compile(r"※［＃([^［］]*)］")
_GAIJI_IN_NOTE: Final = re.compile(r"(?P<before>［＃[^［］]*)※［＃(?P<note>[^［］]*)］")
_NOTE: Final = re.compile(r"［＃[^［］]*］")
_HALF_WIDTH: Final = re.compile(r"(?:［＃|\[[＃#]|［#)(?P<note>[^［］\[\]]*)[］\]]")
"""Notes with a bracket of the other width, as the hands of people typed them."""
_OPEN_NOTE: Final = re.compile(r"［＃[^［］。」]*$")
_NESTED_NOTES: Final = 10
"""Notes inside of each other that are taken out; people write two."""
_HEADING: Final = re.compile(r"［＃「(?P<title>[^\n［］]{0,200})」は(?:同行|窓)?(?P<level>[大中小])見出し］")
_HEADING_START: Final = re.compile(r"［＃(?:ここから)?(?:同行|窓)?(?P<level>[大中小])見出し］")
_HEADING_END: Final = re.compile(r"［＃(?:ここで)?(?:同行|窓)?[大中小]見出し終わり］")
_PAGE_BREAK: Final = re.compile(r"［＃改(?:ページ|丁|見開き)］")
_FOOT: Final = re.compile(
    r"[ 　\t]*[※＊*●■◆]?[【〔\[［（(]?(?:翻訳の|原文の|使用)?(?:底本|定本|原本|親本|原典|テキスト)(?:の親本|一覧|目録)?"
    r"[0-9０-９①-⑳一二三四五]{0,2}[】〕\]］）)]?[ 　]*(?:[：:；;]|(?=[「『]))"
    r"|[ 　\t]*(?:[●■◆][ 　]*底本|[【〔\[［]底本[】〕\]］])[ 　]*$"
)
"""Begins the foot: the book that the file was made from."""
_FOOT_SIGNS: Final = re.compile(
    r"[ 　\t]*(?:底本|初出|初収|入力|校正|校訂|翻訳|訳者|編集|加筆|ファイル作成|公開|更新|青空文庫"
    r"|この(?:ファイル|作品|翻訳|テキスト)は"
    r"|[0-9０-９]{4}年[0-9０-９]{1,2}月[0-9０-９]{1,2}日|[　 ]{2,}|●|※|[-－─]{10,}|http)"
)
"""Lines that a foot is made of."""
_FOOT_SURE: Final = re.compile(
    r"[ 　\t]*(?:青空文庫(?:作成|収録|提供)?ファイル[：:]|(?:入力|校正)[：:]|このファイルは、)"
)
_FOOT_ABOVE: Final = re.compile(
    r"[ 　\t]*(?:(?:初出|初収|原作|原題|訳者?|翻訳者?|公開|更新|作品名|著者名?)[：:]|[©●]"
    r"|この(?:作品|翻訳|ファイル|テキスト)は)"
)
"""Lines of a foot that may stand above its first sure one, without an empty line between."""
_FOOT_GAP: Final = 12
_END: Final = re.compile(r"[ 　\t]*［＃本文終わり］\s*")
_RULE: Final = re.compile(r"[-－─━―=＝*＊]{10,}\s*")
_EXPLANATION: Final = "【テキスト中に現れる記号について】"
_RUBY: Final = re.compile(r"\\(?P<plain>[\\《｜［])|《[^《》]*》|｜")
_REPEAT: Final = re.compile(r"／(″)?＼")
_LAST_WORD: Final = re.compile(r"(?:[\u3400-\u9fff々〇]{1,3}[ぁ-ん]?|[ぁ-ん]{2}|[ァ-ヶー]{2}|[ぁ-んァ-ヶ])$")
_CREDIT: Final = re.compile(r"(?:訳|譯|編|編纂|校訂|校註|著訳|画|絵|装幀|[ 　](?:やく|へん|え))$")
_LONGEST_HEAD: Final = 6
_LONGEST_FOOT: Final = 80
_FARTHEST_FOOT: Final = 1_000
_VOLUME: Final = re.compile(
    r"(?:第?[一二三四五六七八九十百〇0-9０-９]+(?:巻|部|編|篇|章|回|話|集|輯|冊|幕|場)?|[上中下前後続正](?:巻|編|篇|の巻|冊)?"
    r"|.{0,20}の巻|その[一二三四五六七八九十0-9０-９]+|[（(〔].{1,20}[）)〕]|[―─—-].{0,40}[―─—-])"
)
"""A line of the head that is part of the title: a volume, a number, a subtitle between dashes."""
_NUMBERED: Final = re.compile(r"(?:[0-9０-９]{1,3}|第[一二三四五六七八九十百〇0-9０-９]{1,4}[部巻編篇集冊])[ 　]")
_ASIDE: Final = re.compile(r"[（(〔―─—-]")


def read_aozora(text: str, builder: ScriptBuilder, cast: Cast) -> None:
    """Add a work of Aozora Bunko.

    The head gives title and author and is spoken first. The explanation of the marks and the foot (``底本：…``) are
    about the file, not of the work, and are left out; so are the notes on its print.

    Raises:
        InvalidScript: a mistake in our own markup.
    """
    head, body = _split([(number, _written_right(line)) for number, line in lines(text)])
    levels = _chapter_levels(line for _, line in body)
    reader = MarkupReader(builder, cast, ruby="lenient")
    _add_head(head, builder, reader)
    awaited = ""
    for number, line in body:
        for note in _GAIJI.finditer(line):
            if character_of(note[1]) == UNKNOWN and not line.startswith("《", note.end()):
                builder.leave_out("a character that is only described", note[0], number, note.start() + 1)
        if unclosed := _OPEN_NOTE.search(line):
            builder.leave_out("a note that is not closed", unclosed[0], number, unclosed.start() + 1)
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
    for _ in range(_NESTED_NOTES):
        line, before = _NOTE.sub("", line), line
        if line == before:
            break
    return _REPEAT.sub(_written_out, accented(_OPEN_NOTE.sub("", line)))


def _written_right(line: str) -> str:
    """A line with the brackets of its notes in full width, and no gaiji within the description of another."""
    if "［" not in line and "[" not in line:
        return line
    line = _HALF_WIDTH.sub(lambda found: f"［＃{found['note']}］", line)
    for _ in range(_NESTED_NOTES):
        line, before = _GAIJI_IN_NOTE.sub(lambda found: found["before"] + character_of(found["note"]), line), line
        if line == before:
            break
    return line


def _add(number: int, line: str, reader: MarkupReader) -> None:
    spoken = plain(line)
    reader.paragraph(spoken, Places(spoken, (line,), number, base=number))


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
    """Where the foot begins; the number of lines if there is none.

    It names the book near the end, or farther up where every few lines are of a kind that only a foot is made of.
    """
    count = len(everything)
    ended = next((i for i in range(count) if _END.fullmatch(everything[i][1])), count)
    if ended < count:
        return ended
    near = range(max(0, count - _LONGEST_FOOT), count)
    start = next((i for i in near if _FOOT.match(everything[i][1])), None)
    if start is None:
        start = next((i for i in near if _FOOT_SURE.match(everything[i][1])), None)
    if start is None:
        return count
    position = first = start
    gap = 0
    while position > max(0, count - _FARTHEST_FOOT) and gap <= _FOOT_GAP:
        position -= 1
        line = everything[position][1]
        if _FOOT.match(line):
            first, gap = position, 0
        elif _FOOT_SIGNS.match(line) or not line.strip():
            gap += not line.strip()
        else:
            gap += 3
    while first and _FOOT_ABOVE.match(everything[first - 1][1]):
        first -= 1
    return first


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
    names = [name for _, line in head if (name := _title(line))]
    if not names:
        return
    rest = [name for name in names[1:] if not _VOLUME.fullmatch(name)]
    author = next((name for name in reversed(rest) if not _CREDIT.search(name)), "")
    builder.title, builder.series, builder.volume = _titles(names, author)
    builder.author = _written_by(author, others=any(_CREDIT.search(name) for name in rest))
    builder.chapter(builder.title)
    for number, line in head:
        _add(number, line, reader)


def _titles(names: list[str], author: str) -> tuple[str, str, str]:
    """Title, series and volume: a number or a volume after the first line belongs to the title."""
    before = names[1 : names.index(author, 1)] if author in names[1:] else names[1:]
    parts = [name for name in before if _VOLUME.fullmatch(name) or _NUMBERED.match(name)]
    if not parts:
        return names[0], "", ""
    number = re.match(r"第?([0-9０-９一二三四五六七八九十百]+|[上中下前後])", parts[0])
    series = "" if _ASIDE.match(parts[0]) else names[0]
    return "　".join([names[0], *parts]), series, number[1] if number else ""


def _written_by(line: str, *, others: bool) -> str:
    """The author's name without what says that it is the author's; ``others`` have lines of their own."""
    marks = r"[ 　]*(?:著|作)|[ 　]+(?:原作|述|さく|ぶん)" if others else r"[ 　]*著|[ 　]+(?:作|原作|述|さく|ぶん)"
    return re.sub(f"(?:{marks})$", "", line) or line


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
    return f"\\{character}" if character in ("《", "｜", "［") else character


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
