"""Subtitles as scripts: SRT and WebVTT, each cue spoken at its time."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from koebin.engine.errors import InvalidScript
from koebin.engine.reading import Reading
from koebin.engine.text.checks import has_speech
from koebin.producers.formats.script_builder import ScriptBuilder
from koebin.producers.formats.speaker_names import Cast
from koebin.producers.formats.written_readings import MAX_WORD, parse_reading

MOST_SPEED: Final = 1.6
"""How much faster than asked for a cue is spoken so that it ends before the next one begins."""
_GAP_SECONDS: Final = 0.1
_TIME: Final = r"(?:([0-9]{1,3}):)?([0-9]{1,2}):([0-9]{1,2})[,.]([0-9]{1,3})"
_TIMES: Final = re.compile(rf"[ \t]*{_TIME}[ \t]*-->[ \t]*{_TIME}(?:[ \t].*)?")
_ARROW: Final = re.compile(r"[ \t]*[0-9:.,]+[ \t]*-->")
_TAG: Final = re.compile(r"</?(?:i|b|u|s|c|v|font|lang|ruby|rt|rp)(?:[ .][^<>\n]*)?/?>|<[0-9:.]{5,12}>", re.IGNORECASE)
_BREAK: Final = re.compile(r"<br ?/?>|\\[Nn](?![a-z])", re.IGNORECASE)
_TURN: Final = re.compile(r"^[-‐–—][ \t]*(?=\S)", re.MULTILINE)
"""Begins what each of two speakers says."""
_SPACED: Final = re.compile(r"-->[^\n>]*\n[ \t]*\n")
_OVERRIDE: Final = re.compile(r"\{\\[^{}\n]{1,60}\}")
_VOICE: Final = re.compile(r"<v(?:\.[^\s<>]*)?[ \t]+([^<>\n]{1,60})>")
_RUBY: Final = re.compile(r"<ruby>(.{1,200}?)</ruby>", re.DOTALL | re.IGNORECASE)
_PAIR: Final = re.compile(r"(.*?)<rt[^<>]*>(.*?)(?:</rt>|(?=<rt)|$)", re.DOTALL | re.IGNORECASE)
_BLOCK: Final = re.compile(r"(?:NOTE|STYLE|REGION)(?:[ \t].*)?")
_JAPANESE_JOINT: Final = re.compile(r"(?<=[!-~])\n(?=[!-~])")
_COSTS: Final = (("kanji", re.compile("[\u3400-\u9fff]"), 0.26), ("kana", re.compile("[\u3041-\u30fe]"), 0.14))
_OTHER_COST: Final = 0.12


@dataclass(frozen=True, slots=True)
class ScriptCue:
    """A cue: its text with readings, from ``start`` to ``end`` seconds; ``name`` is whom the file says it."""

    line: int
    start: float
    end: float
    text: str
    readings: tuple[Reading, ...] = ()
    name: str = ""


@dataclass(slots=True)
class _Held:
    """A cue that may go on after an empty line."""

    line: int
    start: float
    end: float
    said: list[str]


def read_cues(text: str, builder: ScriptBuilder, cast: Cast) -> None:
    """Add subtitles. Each cue is spoken at its time, faster where it would not end before the next one.

    A block that is no cue, and a cue that begins before the one above it has ended, are told.

    Raises:
        InvalidScript: there is no cue.
    """
    found = (cue for cue in _cues(text, builder) if cue.text.strip())
    cues = sorted(found, key=lambda cue: (cue.start, cue.line))
    if not cues:
        raise InvalidScript("there is no cue", text.strip()[:80], "Write 00:00:01,000 --> 00:00:02,000 above each text")
    for cue, following in zip(cues, [*cues[1:], None], strict=True):
        room = max(0.2, (following.start if following else cue.end) - cue.start - _GAP_SECONDS)
        if following and following.start < cue.end - 0.001:
            reason = f"begins {cue.end - following.start:.2f} s before the cue above it ends"
            builder.warn(reason, following.text, following.line)
        voice = replace(cast.narrator, name=cue.name)
        if has_speech(cue.text):
            needed = predicted_cue_seconds(cue.text) / voice.options.speed / room
            if needed > 1.0:
                faster = min(needed, MOST_SPEED) * voice.options.speed
                voice = voice.with_options(speed=round(min(faster, 4.0), 2))
            builder.add_cue(cue.text, voice, readings=cue.readings, line=cue.line, start=cue.start, end=cue.end)


def predicted_cue_seconds(text: str) -> float:
    """About how long a text takes at speed 1."""
    rest, seconds = text, 0.25
    for _, pattern, cost in _COSTS:
        seconds += cost * len(pattern.findall(rest))
        rest = pattern.sub("", rest)
    return seconds + _OTHER_COST * len(rest.strip())


def _cues(text: str, builder: ScriptBuilder) -> Iterator[ScriptCue]:
    is_vtt = text.lstrip("\ufeff").startswith("WEBVTT")
    held: _Held | None = None
    for number, block in _blocks(text):
        place = next((index for index, row in enumerate(block[:3]) if "-->" in row), None)
        numbered = block[0].strip().isdigit()
        if place is None and held and not is_vtt and not numbered:
            held.said += block  # an empty line within a cue
            continue
        times = _TIMES.fullmatch(block[place].rstrip()) if place is not None else None
        if place is None:
            if number > 1 and not _BLOCK.fullmatch(block[0]) and len(block) > numbered:
                builder.leave_out("text without a time", "\n".join(block[numbered:]), number + numbered)
        elif times is None:
            builder.leave_out("a time that cannot be read", block[place], number + place)
        if held:
            yield _cue("\n".join(held.said), held.line, held.start, held.end)
        held = None
        if place is None or times is None:
            continue
        said = block[place + 1 :]
        start, end = _seconds(times.groups()[:4]), _seconds(times.groups()[4:])
        if end <= start:
            builder.warn("ends before it begins", block[place], number + place)
            end = start + predicted_cue_seconds("\n".join(said))
        held = _Held(number + place + 1, start, end, said)
    if held:
        yield _cue("\n".join(held.said), held.line, held.start, held.end)


def _blocks(text: str) -> Iterator[tuple[int, list[str]]]:
    """Blocks between empty lines with their first line; a line of times begins one even without an empty line."""
    block: list[str] = []
    first = 1
    spaced = 0 < text.count("-->") == len(_SPACED.findall(text))  # an empty line between any two
    rows = [*text.lstrip("\ufeff").split("\n"), ""]
    for number, row in enumerate(rows, start=1):
        if spaced and block and not row.strip() and number < len(rows):
            block.append(row)
            continue
        if row.strip() and not (_ARROW.match(row) and any("-->" in each for each in block)):
            first = first if block else number
            block.append(row)
            continue
        if row.strip():
            end = len(block)
            while end and not block[end - 1].strip():
                end -= 1
            end -= bool(end and block[end - 1].strip().isdigit())
            head, block = block[end:], block[:end]
            yield first, block
            first, block = number - len(head), [*head, row]
        elif block:
            yield first, block
            block = []


def _seconds(parts: tuple[str | None, ...]) -> float:
    hours, minutes, seconds, fraction = parts
    return int(hours or 0) * 3600 + int(minutes or 0) * 60 + int(seconds or 0) + float(f"0.{fraction}")


def _cue(said: str, line: int, start: float, end: float) -> ScriptCue:
    voice = _VOICE.search(said)
    said = _BREAK.sub("\n", _OVERRIDE.sub("", said))
    said = _TURN.sub("", said) if len(_TURN.findall(said)) > 1 else said
    parts: list[str] = []
    readings: list[Reading] = []
    position = length = 0
    for ruby in _RUBY.finditer(said):
        before = _plain(said[position : ruby.start()])
        parts.append(before)
        length += len(before)
        for pair in _PAIR.finditer(ruby[1]):
            word, spoken = _plain(pair[1]), parse_reading(_plain(pair[2]))
            parts.append(word)
            if spoken and 0 < len(word) <= MAX_WORD:
                readings.append(Reading(length, length + len(word), spoken.kana, spoken.accent))
            length += len(word)
        position = ruby.end()
    parts.append(_plain(said[position:]))
    return ScriptCue(
        line, start, end, "".join(parts), tuple(readings), html.unescape(voice[1]).strip() if voice else ""
    )


def _plain(text: str) -> str:
    """Without tags; lines are joined as Japanese joins them."""
    bare = html.unescape(_TAG.sub("", text))
    return _JAPANESE_JOINT.sub(" ", "\n".join(line.strip() for line in bare.split("\n"))).replace("\n", "")
