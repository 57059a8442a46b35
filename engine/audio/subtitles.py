"""Subtitle and label files from marks: SRT, WebVTT, HTK labels and JSON.

Every format can be written piece by piece, in the order of time, so that a book's marks need not be in memory at once.
Sources: https://www.w3.org/TR/webvtt1/ (VTT), the HTK Book, section 6.2 (labels); SRT has no standard, what is written
here is what its parsers agree on.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, Protocol

from koebin.engine.audio.cues import Cue, cues_of, lengthened
from koebin.engine.audio.line_breaks import one_line
from koebin.engine.audio.marks import LEVELS, Mark, Marks
from koebin.engine.errors import InvalidOption

_TAG_START: Final = re.compile(r"<(?=[/A-Za-z0-9])|\{(?=[\\A-Za-z])")

FORMATS: Final = ("srt", "vtt", "lab", "json")


class SubtitleFormat(Protocol):
    """Writer of one file in text chunks: head, one body per call in the order of time, foot."""

    def head(self) -> str: ...

    def body(self, marks: Marks, name: str | None = None, following: float | None = None) -> str:
        """Text for the next marks, in seconds from the start of the file.

        Args:
            name: the speaker's name for listeners; "" shows none, None the marks' own speakers.
            following: when the marks after these begin, if that is known: a cue may stay on until then.
        """
        ...

    def foot(self) -> str: ...


def subtitle_format(name: str, level: str = "", *, speakers: bool = False) -> SubtitleFormat:
    """Fresh writer of one file.

    Args:
        name: one of ``FORMATS``.
        level: one of ``LEVELS``; "" takes the sentence for SRT and VTT, and the mora for labels. JSON holds all.
        speakers: put the speaker's name in front of each sentence (SRT, which has no other place for it; VTT and JSON
            always carry it).

    Raises:
        InvalidOption: an unknown format or level.
    """
    if name not in FORMATS:
        raise InvalidOption("not a known subtitle format", name, f"Use {', '.join(FORMATS)}")
    level = level or ("mora" if name == "lab" else "sentence")
    if level not in LEVELS:
        raise InvalidOption("not a known level of marks", level, f"Use {', '.join(LEVELS)}")
    if name == "srt":
        return _Srt(level, speakers=speakers)
    if name == "vtt":
        return _Vtt(level)
    return _Lab(level) if name == "lab" else _Json()


def to_text(marks: Marks, name: str, level: str = "", *, speakers: bool = False) -> str:
    """Whole file at once; the arguments are those of ``subtitle_format``."""
    chosen = subtitle_format(name, level, speakers=speakers)
    return chosen.head() + chosen.body(marks) + chosen.foot()


@dataclass(slots=True)
class _Cues:
    """Sentences as cues of two lines, or one cue for each mark of a finer level."""

    level: str

    def body(self, marks: Marks, name: str | None = None, following: float | None = None) -> str:
        cues = self._cues(marks, name)
        starts = [*(cue.start for cue in cues[1:]), following]
        return "".join(
            self._written(
                lengthened(cue, start) if self.level == "sentence" else cue, cue.speaker if name is None else name
            )
            for cue, start in zip(cues, starts, strict=True)
        )

    def foot(self) -> str:
        return ""

    def _cues(self, marks: Marks, name: str | None) -> list[Cue]:
        if self.level == "sentence":
            return cues_of(marks, lambda sentence: self._before(sentence, name))
        return [Cue(one_line(mark.text), mark.start, mark.end, mark.speaker) for mark in marks.level(self.level)]

    def _before(self, sentence: Mark, name: str | None) -> str:  # noqa: ARG002
        return ""

    def _written(self, cue: Cue, name: str) -> str:
        raise NotImplementedError


@dataclass(slots=True)
class _Srt(_Cues):
    speakers: bool = False
    _number: int = 0

    def head(self) -> str:
        return ""

    def _before(self, sentence: Mark, name: str | None) -> str:
        who = (sentence.speaker if self.speakers else "") if name is None else name
        return f"{who}: " if who else ""

    def _written(self, cue: Cue, name: str) -> str:  # noqa: ARG002
        self._number += 1
        start, end = _milliseconds(cue)
        times = f"{_clock(start, ',')} --> {_clock(end, ',')}"
        return f"{self._number}\n{times}\n{_shown(cue.text)}\n\n"


@dataclass(slots=True)
class _Vtt(_Cues):
    def head(self) -> str:
        return "WEBVTT\n\n"

    def _written(self, cue: Cue, name: str) -> str:
        start, end = _milliseconds(cue)
        text = _escape(cue.text)
        voiced = f"<v {_escape(name)}>{text}</v>" if name else text
        return f"{_clock(start, '.')} --> {_clock(end, '.')}\n{voiced}\n\n"


@dataclass(slots=True)
class _Lab:
    """``start end label`` in units of 100 ns; blanks in a label become ``_``."""

    level: str

    def head(self) -> str:
        return ""

    def body(self, marks: Marks, name: str | None = None, following: float | None = None) -> str:  # noqa: ARG002
        return "".join(self._label(mark) for mark in marks.level(self.level))

    def foot(self) -> str:
        return ""

    def _label(self, mark: Mark) -> str:
        name = re.sub(r"\s+", "_", mark.text.strip()) or "_"
        return f"{round(mark.start * 1e7)} {round(mark.end * 1e7)} {name}\n"


@dataclass(slots=True)
class _Json:
    """``{"version": 1, "sentences": [{text, start, end, speaker, words, moras, phones, name?}]}``, times in seconds."""

    _first: bool = True

    def head(self) -> str:
        return '{"version": 1, "sentences": ['

    def body(self, marks: Marks, name: str | None = None, following: float | None = None) -> str:  # noqa: ARG002
        pieces = []
        for nested in _nested(marks):
            sentence = {**nested, "name": name} if name else nested
            pieces.append(("\n" if self._first else ",\n") + json.dumps(sentence, ensure_ascii=False, allow_nan=False))
            self._first = False
        return "".join(pieces)

    def foot(self) -> str:
        return "\n]}\n"


def _nested(marks: Marks) -> Iterator[dict[str, Any]]:
    """Each sentence with the words, moras and phones that begin before the next one does."""
    starts = [mark.start for mark in marks.sentences]
    for index, sentence in enumerate(marks.sentences):
        low = starts[index] if index else float("-inf")
        high = starts[index + 1] if index + 1 < len(starts) else float("inf")
        inner = {
            name: [_plain(mark) for mark in level if low <= mark.start < high]
            for name, level in (("words", marks.words), ("moras", marks.moras), ("phones", marks.phones))
        }
        yield {**_plain(sentence), "speaker": sentence.speaker, **inner}


def _plain(mark: Mark) -> dict[str, Any]:
    return {"text": mark.text, "start": round(mark.start, 6), "end": round(mark.end, 6)}


def _milliseconds(mark: Cue) -> tuple[int, int]:
    start = max(0, round(mark.start * 1000))
    # A cue that ends when it begins is an error to a parser.
    return start, max(round(mark.end * 1000), start + 1)


def _clock(milliseconds: int, point: str) -> str:
    seconds, rest = divmod(milliseconds, 1000)
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}{point}{rest:03d}"


def _shown(text: str) -> str:
    """Text of SRT, which has no escapes: a word joiner keeps players from taking ``<T>`` or ``{\\an8}`` for tags."""
    return _TAG_START.sub("\\g<0>\u2060", text)


def _escape(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
