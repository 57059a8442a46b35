"""The small markup that any text may hold: pauses, spans of another voice, readings. See docs/markup.md."""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from koebin.engine.errors import InvalidInput, InvalidScript
from koebin.producers.formats.ruby import Ruby, RubyReader, Run, check_okurigana
from koebin.producers.formats.script_builder import MAX_PAUSE, ScriptBuilder
from koebin.producers.formats.speaker_names import Cast, Voice
from koebin.producers.formats.written_readings import parse_reading
from koebin.tasks.script import Ending

SPANS: Final = {
    "speaker": "speaker",
    "voice": "speaker",
    "話者": "speaker",
    "style": "style",
    "スタイル": "style",
    "speed": "speed",
    "rate": "speed",
    "速さ": "speed",
    "pitch": "pitch",
    "高さ": "pitch",
    "volume": "volume",
    "音量": "volume",
    "intonation": "intonation",
    "抑揚": "intonation",
    "accent": "accent_strength",
    "アクセント": "accent_strength",
}
PAUSES: Final = ("pause", "間")
_DEEPEST: Final = 16
_NAMES: Final = (*SPANS, *PAUSES)

_TOKEN: Final = re.compile(
    r"\\(?P<escaped>[\\\[［｜|《])"
    r"|[｜|](?P<base>[^｜|《》\[［\n]{1,1000})《(?P<explicit>[^《》\n]*)(?P<closed>》?)"
    r"|《《(?P<emphasis>[^《》\n]+)》》"
    r"|《(?P<implicit>[^《》\n]*)》"
    r"|[\[［](?P<end>/?)(?P<name>[A-Za-z]+|話者|スタイル|速さ|高さ|音量|抑揚|アクセント|間)"
    r"(?:[:：](?P<value>[^\[\]［］\n]*))?[\]］]"
)
_SECONDS: Final = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)\s*(s|ms|秒|ミリ秒)?")
_NUMBER: Final = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)")

Place = Callable[[int], tuple[int, int]]
"""Offset in a paragraph -> line and column in the input."""


@dataclass(slots=True)
class _Span:
    name: str
    value: str
    line: int
    column: int


class MarkupReader:
    """Reads paragraphs into a builder; spans may reach over several of them.

    Args:
        builder: takes the passages.
        cast: who may speak, and who does unless told otherwise.
        ruby: what becomes of ruby that is no kana.
        item: the item all of it belongs to.
    """

    def __init__(self, builder: ScriptBuilder, cast: Cast, ruby: Ruby = "strict", item: str = "") -> None:
        self._builder = builder
        self._cast = cast
        self._ruby = ruby
        self._ruby_reader = RubyReader(builder, ruby, item)
        self._item = item
        self._open: list[_Span] = []

    def paragraph(self, text: str, place: Place, *, voice: Voice | None = None, ends: Ending = "paragraph") -> None:
        """Add what ``text`` says.

        Raises:
            InvalidScript: a mistake in the markup, with its place.
        """
        base = voice or self._cast.narrator
        run, position = Run(), 0
        line = place(len(text) - len(text.lstrip()))[0]
        for match in _TOKEN.finditer(text):
            run.text += text[position : match.start()]
            position = match.end()
            where = place(match.start())
            if match["escaped"]:
                run.text += match["escaped"]
            elif match["base"]:
                self._ruby_reader.explicit(run, match, where)
            elif match["emphasis"]:
                run.text += match["emphasis"] if self._ruby == "strict" else match[0]
            elif match["implicit"] is not None:
                self._ruby_reader.implicit(run, match, where)
            elif not self._is_tag(match, where) or self._is_print(match):
                run.text += match[0]
            else:
                self._flush(run, base, line, "span")
                run, line = Run(), where[0]
                self._tag(match, where)
        run.text += text[position:]
        self._flush(run, base, line, ends)
        self._builder.end(ends)

    def finish(self) -> None:
        """Raises: InvalidScript: a span that is not closed."""
        if self._open:
            span = self._open[-1]
            raise InvalidScript(
                "a span is not closed", f"[{span.name}:{span.value}]", f"Write [/{span.name}]", span.line, span.column
            )

    def _flush(self, run: Run, base: Voice, line: int, ends: Ending) -> None:
        if run.text.strip():
            if self._ruby == "strict":
                check_okurigana(run)
            voice = self._voice(base)
            self._builder.add(run.text, voice, readings=run.readings, line=line, ends=ends, item=self._item)

    def _voice(self, base: Voice) -> Voice:
        voice = base
        for span in self._open:
            voice = self._apply(voice, span)
        return voice

    def _apply(self, voice: Voice, span: _Span) -> Voice:
        kind = SPANS[span.name]
        try:
            if kind == "speaker":
                return voice.with_speaker(self._cast.voice(span.value, span.line, span.column))
            if kind == "style":
                return voice.with_options(style=span.value)
            return voice.with_options(**{kind: float(span.value)})
        except InvalidScript:
            raise
        except InvalidInput as error:
            raise InvalidScript(error.what, error.value, error.hint, span.line, span.column) from error

    def _is_tag(self, match: re.Match[str], where: tuple[int, int]) -> bool:
        """Whether this is our markup; other words in brackets are text.

        Raises:
            InvalidScript: it looks like a slip of the pen.
        """
        name, value = match["name"].lower(), match["value"]
        if name in _NAMES:
            return bool(match["end"]) or value is not None
        if self._ruby == "lenient" or (value is None and not match["end"]):
            return False
        close = difflib.get_close_matches(name, _NAMES, n=1, cutoff=0.8)
        if close:
            raise InvalidScript("unknown markup", match[0], f"Use [{close[0]}:…], or \\[ for a plain bracket", *where)
        return False

    def _is_print(self, match: re.Match[str]) -> bool:
        """Whether full-width brackets of a book hold its own words, such as ［間：三分］."""
        if self._ruby == "strict" or match[0][0] == "[":
            return False
        if match["end"]:
            return not self._open
        name, value = match["name"].lower(), unicodedata.normalize("NFKC", match["value"] or "").strip()
        if name in PAUSES:
            return not _SECONDS.fullmatch(value)
        return SPANS[name] not in ("speaker", "style") and not _NUMBER.fullmatch(value)

    def _tag(self, match: re.Match[str], where: tuple[int, int]) -> None:
        name = match["name"].lower()
        value = unicodedata.normalize("NFKC", match["value"] or "").strip()
        if match["end"]:
            self._close(name, match[0], where)
        elif name in PAUSES:
            self._builder.pause(_seconds(value, match[0], where), *where)
        else:
            if SPANS[name] not in ("speaker", "style") and not _NUMBER.fullmatch(value):
                raise InvalidScript(f"{name} is not a number", match[0], f"Write [{name}:1.2]", *where)
            if not value:
                raise InvalidScript(f"{name} has no value", match[0], f"Write [{name}:…]", *where)
            if len(self._open) >= _DEEPEST:
                raise InvalidScript("spans are nested too deeply", match[0], "Close some of them first", *where)
            span = _Span(name, value, *where)
            self._apply(self._voice(self._cast.narrator), span)
            self._open.append(span)

    def _close(self, name: str, written: str, where: tuple[int, int]) -> None:
        if not self._open or SPANS.get(name) != SPANS[self._open[-1].name]:
            expected = f"Close [{self._open[-1].name}:…] first" if self._open else "Remove it"
            raise InvalidScript("closes a span that is not open", written, expected, *where)
        self._open.pop()


def plain_title(text: str) -> str:
    """What a heading says, without its markup, also where nothing of it can be spoken."""
    out: list[str] = []
    position = 0
    for match in _TOKEN.finditer(text):
        out.append(text[position : match.start()])
        position = match.end()
        if match["escaped"]:
            out.append(match["escaped"])
        elif match["base"]:
            out.append(match["base"] if match["closed"] else match[0])
        elif match["emphasis"]:
            out.append(match["emphasis"])
        elif match["implicit"] is not None:
            out.append("" if parse_reading(match["implicit"]) else match[0])
        elif (match["name"] or "").lower() not in _NAMES:
            out.append(match[0])
    return re.sub(r"[ \t\r\n]+", " ", "".join([*out, text[position:]])).strip()


def one_line(line: int, column: int = 1) -> Place:
    """Places in a paragraph that is one line of the input and begins at ``column``."""
    return lambda offset: (line, column + offset)


def _seconds(value: str, written: str, where: tuple[int, int]) -> float:
    found = _SECONDS.fullmatch(value)
    if not found:
        raise InvalidScript("not a pause", written, "Write [pause:0.5s] or [間:0.5秒]", *where)
    seconds = float(found[1]) / (1000 if found[2] in ("ms", "ミリ秒") else 1)
    if seconds > MAX_PAUSE:
        raise InvalidScript("the pause is too long", written, f"Use at most {MAX_PAUSE:g} s", *where)
    return seconds


def lines(text: str) -> Iterator[tuple[int, str]]:
    """Each line with its number, from 1; the line breaks are left out."""
    yield from enumerate(text.replace("\r\n", "\n").replace("\r", "\n").split("\n"), start=1)
