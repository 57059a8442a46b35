"""The small markup that any text may hold: pauses, spans of another voice, readings. See docs/markup.md."""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final, Literal

from koebin.engine.errors import InvalidInput, InvalidScript
from koebin.engine.reading import Reading
from koebin.engine.text.characters import script
from koebin.engine.text.readings import repeated_kana
from koebin.producers.formats.script_builder import MAX_PAUSE, ScriptBuilder
from koebin.producers.formats.speaker_names import Cast, Voice
from koebin.producers.formats.written_readings import MAX_WORD, Spoken, parse_phrases, parse_reading
from koebin.tasks.script import Ending

Ruby = Literal["strict", "lenient"]
"""``strict``: a reading that is none is refused, or is a quotation. ``lenient``: it is left out, as books need it."""

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
_MALFORMED: Final = re.compile(r"(?=.*[ぁ-ゖァ-ヺ].*['’＇:：/])[ぁ-ゖァ-ヺー'’＇/、。:：0-9]+")
"""Kana with marks of accents in the wrong places: meant as a reading, and none."""
_NUMBER: Final = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)")

Place = Callable[[int], tuple[int, int]]
"""Offset in a paragraph -> line and column in the input."""


@dataclass(slots=True)
class _Span:
    name: str
    value: str
    line: int
    column: int


@dataclass(slots=True)
class _Run:
    """Text of one voice that is being collected."""

    text: str = ""
    readings: list[Reading] = field(default_factory=list)
    places: list[tuple[int, int]] = field(default_factory=list)
    """Of each reading, in the input."""


def _check_okurigana(run: _Run) -> None:
    """Raises: InvalidScript: a reading that ends with the kana behind its word, with its place."""
    for reading, where in zip(run.readings, run.places, strict=True):
        if repeated_kana(run.text, reading):
            hint = "Give the reading of the kanji alone: 食《た》べる"
            raise InvalidScript("a reading holds the kana that stand behind its word", reading.kana, hint, *where)


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
        self._item = item
        self._open: list[_Span] = []

    def paragraph(self, text: str, place: Place, *, voice: Voice | None = None, ends: Ending = "paragraph") -> None:
        """Add what ``text`` says.

        Raises:
            InvalidScript: a mistake in the markup, with its place.
        """
        base = voice or self._cast.narrator
        run, position = _Run(), 0
        line = place(len(text) - len(text.lstrip()))[0]
        for match in _TOKEN.finditer(text):
            run.text += text[position : match.start()]
            position = match.end()
            where = place(match.start())
            if match["escaped"]:
                run.text += match["escaped"]
            elif match["base"]:
                self._explicit(run, match, where)
            elif match["emphasis"]:
                run.text += match["emphasis"] if self._ruby == "strict" else match[0]
            elif match["implicit"] is not None:
                self._implicit(run, match, where)
            elif not self._is_tag(match, where) or self._is_print(match):
                run.text += match[0]
            else:
                self._flush(run, base, line, "span")
                run, line = _Run(), where[0]
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

    def _flush(self, run: _Run, base: Voice, line: int, ends: Ending) -> None:
        if run.text.strip():
            if self._ruby == "strict":
                _check_okurigana(run)
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

    def _explicit(self, run: _Run, match: re.Match[str], where: tuple[int, int]) -> None:
        base = match["base"].strip()
        spoken = parse_reading(match["explicit"]) if len(base) <= MAX_WORD else None
        if self._ruby == "strict" and match[0][0] == "｜" and spoken is None:
            spoken = parse_phrases(match["explicit"])
        if self._ruby == "strict" and match[0][0] == "|" and (spoken is None or not match["closed"]):
            run.text += match[0]  # a bar of a table before a quotation
            return
        if not match["closed"]:
            if self._ruby == "lenient":
                run.text += match[0]
                return
            raise InvalidScript("a reading is not closed", match[0], "Write 》 after it", *where)
        if not base and self._ruby == "lenient":
            self._builder.leave_out("a reading without a word", match[0], *where, item=self._item)
            return
        if self._ruby == "lenient" and spoken and len(base) == 1 and _is_sign(base):
            run.text += spoken.kana
            return
        if not base or (self._ruby == "strict" and spoken is None):
            raise InvalidScript(
                "not a reading" if base else "a reading without a word",
                match[0],
                "Write ｜word《kana》, with ' after the mora where the pitch falls; \\｜ is a plain bar",
                *where,
            )
        before, _, after = match["base"].partition(base)
        run.text += before
        self._read(run, len(run.text), base, spoken, where)
        run.text += after

    def _implicit(self, run: _Run, match: re.Match[str], where: tuple[int, int]) -> None:
        taken = run.readings[-1].end if run.readings else 0
        start = _word_start(run.text, taken, self._ruby)
        word = run.text[start:]
        spoken = parse_reading(match["implicit"])
        if not word and self._ruby == "lenient" and spoken and len(run.text) > taken and _is_sign(run.text[-1]):
            run.text = run.text[:-1] + spoken.kana  # a sign with a reading of its own
            return
        if not word and self._ruby == "lenient" and run.text and taken == len(run.text):
            self._builder.leave_out("a second reading of a word", match[0], *where, item=self._item)
            return
        if self._ruby == "strict" and spoken is None and word and _MALFORMED.fullmatch(match["implicit"]):
            hint = "Write word《kana》 with one ' after the mora where the pitch falls; ｜ before it for a quotation"
            raise InvalidScript("not a reading", match[0], hint, *where)
        if not word or (self._ruby == "strict" and spoken is None):
            run.text += match[0]  # a quotation
            return
        run.text = run.text[:start]
        self._read(run, start, word, spoken if len(word) <= MAX_WORD else None, where)

    def _read(self, run: _Run, start: int, word: str, spoken: Spoken | None, where: tuple[int, int]) -> None:
        """Append ``word`` with its reading; kana take the place of a character that no font has."""
        if spoken is None:
            run.text += word
        elif UNKNOWN in word:
            run.text += spoken.kana
        else:
            run.text += word
            run.readings.append(Reading(start, start + len(word), spoken.kana, spoken.accent))
            run.places.append(where)

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


UNKNOWN: Final = "〓"
"""Stands for a character that Unicode or the input's encoding lacks (a printer's *geta*)."""


def one_line(line: int, column: int = 1) -> Place:
    """Places in a paragraph that is one line of the input and begins at ``column``."""
    return lambda offset: (line, column + offset)


def _word_start(text: str, start: int, ruby: Ruby) -> int:
    """Where the word begins that a reading without ｜ belongs to: the run of one script before it."""
    kinds = ("kanji", "katakana", "latin", "digit", "hiragana") if ruby == "lenient" else ("kanji",)
    position = _before_marks(text, len(text), start)
    kind = _kind(text[position - 1]) if position > start else ""
    if kind not in kinds:
        return len(text)
    while position > start and (_kind(text[position - 1]) == kind or (kind == "latin" and _joins(text, position - 1))):
        position = _before_marks(text, position - 1, start)
    while position < len(text) and _is_mark(text[position]):
        position += 1  # marks of the character before the word
    return position


def _before_marks(text: str, position: int, start: int) -> int:
    """The end of the character that variation selectors and combining marks before ``position`` belong to."""
    while position > start and _is_mark(text[position - 1]):
        position -= 1
    return position


def _joins(text: str, position: int) -> bool:
    """Whether this is the apostrophe or hyphen of a word such as Barber's."""
    return text[position] in "'’-‐" and _kind(text[position - 1 : position] or " ") == "latin"


def _is_mark(character: str) -> bool:
    return unicodedata.category(character) in ("Mn", "Me", "Mc")


def _is_sign(character: str) -> bool:
    """Whether this is a sign rather than a letter or punctuation, so that its reading may stand for it."""
    return unicodedata.category(character)[0] == "S" or character in "※＆＃＠％・◇"


def _kind(character: str) -> str:
    if character in "々〇〻仝〆ヶヵ" or character == UNKNOWN:
        return "kanji"
    kind = script(character)
    return "latin" if kind == "digit" else kind


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
