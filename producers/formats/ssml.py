"""SSML, as much of it as people bring from cloud services.

``speak p s break prosody sub phoneme voice speaker``; anything else is refused with its place. Source: W3C SSML 1.1.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from koebin.engine.errors import InvalidInput, InvalidScript
from koebin.engine.reading import Reading
from koebin.engine.text.kana import has_phrases
from koebin.producers.formats import safe_xml, white_space
from koebin.producers.formats.script_builder import ScriptBuilder
from koebin.producers.formats.speaker_names import Cast, Voice
from koebin.producers.formats.written_readings import MAX_WORD, WrittenReading, parse_phrases, parse_reading
from koebin.tasks.script import Ending

_ATTRIBUTES: Final = {
    "speak": {"version", "lang", "schemalocation", "base"},
    "p": {"lang"},
    "s": {"lang"},
    "break": {"time", "strength"},
    "prosody": {"rate", "pitch", "volume"},
    "sub": {"alias"},
    "phoneme": {"alphabet", "ph"},
    "voice": {"name", "style"},
    "speaker": {"name", "style"},
}
_BREAKS: Final = {"none": 0.0, "x-weak": 0.1, "weak": 0.25, "medium": 0.5, "strong": 1.0, "x-strong": 1.5}
_RATES: Final = {"x-slow": 0.5, "slow": 0.75, "medium": 1.0, "default": 1.0, "fast": 1.25, "x-fast": 1.75}
_PITCHES: Final = {"x-low": -6.0, "low": -3.0, "medium": 0.0, "default": 0.0, "high": 3.0, "x-high": 6.0}
_VOLUMES: Final = {"x-soft": -12.0, "soft": -6.0, "medium": 0.0, "default": 0.0, "loud": 4.0, "x-loud": 8.0}
_ALPHABETS: Final = ("x-amazon-yomigana", "x-amazon-pron-kana", "yomigana", "kana", "")
_TIME: Final = re.compile(r"\+?([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(s|ms)")
_PERCENT: Final = re.compile(r"([+-]?)([0-9]+(?:\.[0-9]*)?)%")
_FACTOR: Final = re.compile(r"[0-9]+(?:\.[0-9]*)?|\.[0-9]+")
_SEMITONES: Final = re.compile(r"([+-]?[0-9]+(?:\.[0-9]*)?)st")
_DECIBELS: Final = re.compile(r"([+-]?[0-9]+(?:\.[0-9]*)?)dB")


def read_ssml(document: str, builder: ScriptBuilder, cast: Cast) -> None:
    """Add an SSML document.

    Raises:
        InvalidScript: not well-formed, an element, attribute or value that is not taken, with line and column.
    """
    safe_xml.parse(document, _Speech(builder, cast), "the SSML")


@dataclass(slots=True)
class _Element:
    """An element that is open.

    Attributes:
        part: index of the first piece of text in it.
        spoken: its reading if it is sub or phoneme; None for an alias that is no kana.
    """

    tag: str
    voice: Voice
    part: int = 0
    alias: str = ""
    spoken: WrittenReading | None = None


class _Speech(safe_xml.Handler):
    def __init__(self, builder: ScriptBuilder, cast: Cast) -> None:
        super().__init__()
        self._builder = builder
        self._cast = cast
        self._open: list[_Element] = []
        self._parts: list[str] = []
        self._length = 0
        self._readings: list[Reading] = []
        self._line = 0

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        self._check(tag, attributes)
        voice = self._open[-1].voice if self._open else self._cast.narrator
        element = _Element(tag, voice)
        with self._placed():
            match tag:
                case "p" | "s":
                    self._flush("paragraph" if tag == "p" else "sentence", voice)
                case "break":
                    self._flush("span", voice)
                    self._builder.pause(_pause(attributes), *self.place())
                case "prosody":
                    self._flush("span", voice)
                    element.voice = _prosody(voice, attributes)
                case "voice" | "speaker":
                    self._flush("span", voice)
                    element.voice = _named(voice, attributes, self._cast)
                case "sub":
                    element.alias = _given(attributes, "alias")
                    element.spoken = parse_reading(element.alias)
                case "phoneme":
                    element.spoken = _phoneme(attributes)
        element.part = len(self._parts)
        self._open.append(element)

    def end(self, tag: str) -> None:
        element = self._open.pop()
        match tag:
            case "speak" | "p":
                self._flush("paragraph", element.voice)
                self._builder.end("paragraph")
            case "s":
                self._flush("sentence", element.voice)
                self._builder.end("sentence")
            case "prosody" | "voice" | "speaker":
                self._flush("span", element.voice)
            case "sub" | "phoneme":
                self._end_reading(element)

    def characters(self, content: str) -> None:
        if self._open and self._open[-1].tag == "break" and content.strip():
            raise InvalidScript("text inside of break", content.strip(), "Write <break/>", *self.place())
        self._append(white_space.collapse(content))

    def _append(self, text: str) -> None:
        if not self._parts or self._parts[-1].endswith((" ", "\n")):
            text = text.lstrip(" \n")
        if text:
            self._line = self._line or self.place()[0]
            self._parts.append(text)
            self._length += len(text)

    def _end_reading(self, element: _Element) -> None:
        text = "".join(self._parts[element.part :])
        word = text.strip()
        if not word:
            raise InvalidScript(f"{element.tag} holds no text", "", "Write the word between its tags", *self.place())
        start = self._length - len(text) + text.index(word)
        if element.spoken is not None and len(word) > MAX_WORD and not has_phrases(element.spoken.kana):
            what = f"{element.tag} holds more than {MAX_WORD} characters"
            raise InvalidScript(what, word, "Give each word its own reading", *self.place())
        if element.spoken is not None:
            spoken = element.spoken
            self._readings.append(Reading(start, start + len(word), spoken.kana, spoken.accent))
            return
        del self._parts[element.part :]  # an alias in other words than kana is said instead
        self._length -= len(text)
        self._append(element.alias)

    def _flush(self, ends: Ending, voice: Voice) -> None:
        text, readings = white_space.join_lines("".join(self._parts), self._readings)
        if text.strip():
            self._builder.add(text, voice, readings=readings, line=self._line, ends=ends)
        self._parts, self._length, self._readings, self._line = [], 0, [], 0

    def _check(self, tag: str, attributes: dict[str, str]) -> None:
        outer = self._open[-1].tag if self._open else ""
        if tag not in _ATTRIBUTES:
            raise InvalidScript("this element is not taken", f"<{tag}>", f"Use {', '.join(_ATTRIBUTES)}", *self.place())
        if (tag == "speak") == bool(outer):
            what = "speak inside of speak" if outer else "the document does not begin with speak"
            raise InvalidScript(what, f"<{tag}>", "Write <speak>…</speak> around everything", *self.place())
        if outer in ("sub", "phoneme", "break"):
            raise InvalidScript(f"{outer} holds an element", f"<{tag}>", "Leave only text in it", *self.place())
        for name, value in attributes.items():
            if name not in _ATTRIBUTES[tag] and not name.startswith("xmlns"):
                known = ", ".join(sorted(_ATTRIBUTES[tag]))
                raise InvalidScript(f"{tag} takes no such attribute", name, f"Use {known}", *self.place())
            if name == "lang" and not value.lower().startswith("ja"):
                raise InvalidScript("only Japanese is spoken", value, 'Write xml:lang="ja-JP"', *self.place())

    @contextmanager
    def _placed(self) -> Iterator[None]:
        """Give errors the place of this element."""
        try:
            yield
        except InvalidInput as error:
            raise InvalidScript(error.what, error.value, error.hint, *self.place()) from error


def _given(attributes: dict[str, str], name: str) -> str:
    value = attributes.get(name, "").strip()
    if not value:
        raise InvalidScript(f"{name} is missing", "", f'Write {name}="…"')
    return value


def _phoneme(attributes: dict[str, str]) -> WrittenReading:
    alphabet = attributes.get("alphabet", "").lower()
    if alphabet not in _ALPHABETS:
        raise InvalidScript("this alphabet is not taken", alphabet, f"Use {_ALPHABETS[0]} (kana)")
    written = _given(attributes, "ph")
    spoken = parse_reading(written) or parse_phrases(written)
    if spoken is None:
        raise InvalidScript("not kana", written, "Write kana, with ' after the mora where the pitch falls")
    return spoken


def _named(voice: Voice, attributes: dict[str, str], cast: Cast) -> Voice:
    if "name" in attributes or "style" not in attributes:
        voice = voice.with_speaker(cast.voice(_given(attributes, "name")))
    return voice.with_options(style=_given(attributes, "style")) if "style" in attributes else voice


def _pause(attributes: dict[str, str]) -> float:
    if "time" in attributes:
        value = attributes["time"].strip()
        found = _TIME.fullmatch(value)
        if not found:
            raise InvalidScript("not a time", value, 'Write time="500ms" or time="0.5s"')
        return float(found[1]) / (1000 if found[2] == "ms" else 1)
    strength = attributes.get("strength", "medium").strip()
    if strength not in _BREAKS:
        raise InvalidScript("not a strength", strength, f"Use {', '.join(_BREAKS)}")
    return _BREAKS[strength]


def _prosody(voice: Voice, attributes: dict[str, str]) -> Voice:
    """The voice with rate and pitch relative to what held before, and a gain on top of it."""
    if not attributes:
        raise InvalidScript("prosody changes nothing", "", 'Write rate="120%", pitch="+2st" or volume="+3dB"')
    now, changes = voice.options, {}
    if "rate" in attributes:
        changes["speed"] = now.speed * _rate(attributes["rate"].strip())
    if "pitch" in attributes:
        changes["pitch"] = now.pitch + _pitch(attributes["pitch"].strip())
    if "volume" in attributes:
        changes["volume"] = now.volume + _volume(attributes["volume"].strip())
    return voice.with_options(**changes)


def _rate(value: str) -> float:
    if value in _RATES:
        return _RATES[value]
    if percent := _PERCENT.fullmatch(value):
        share = float(percent[2]) / 100
        return {"": share, "+": 1 + share, "-": 1 - share}[percent[1]]
    if _FACTOR.fullmatch(value):
        return float(value)
    raise InvalidScript("not a rate", value, f'Use "120%", "+20%", "1.2" or {", ".join(_RATES)}')


def _pitch(value: str) -> float:
    if value in _PITCHES:
        return _PITCHES[value]
    if semitones := _SEMITONES.fullmatch(value):
        return float(semitones[1])
    percent = _PERCENT.fullmatch(value)
    if percent and percent[1]:
        factor = 1 + float(percent[1] + percent[2]) / 100
        if factor > 0:
            return 12 * math.log2(factor)
    raise InvalidScript("not a pitch", value, f'Use "+2st", "-10%" or {", ".join(_PITCHES)}')


def _volume(value: str) -> float:
    if value in _VOLUMES:
        return _VOLUMES[value]
    if decibels := _DECIBELS.fullmatch(value):
        return float(decibels[1])
    raise InvalidScript("not a volume", value, f'Use "+3dB" or {", ".join(_VOLUMES)}')
