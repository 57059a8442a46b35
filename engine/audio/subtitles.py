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

from koebin.engine.audio.line_breaks import wrap
from koebin.engine.audio.marks import LEVELS, Mark, Marks
from koebin.engine.errors import InvalidOption

"""What one cue or label holds."""

FORMATS: Final = ("srt", "vtt", "lab", "json")


class SubtitleFormat(Protocol):
    """Writer of one file in text chunks: head, one body per call in the order of time, foot."""

    def head(self) -> str: ...

    def body(self, marks: Marks, name: str | None = None) -> str:
        """Text for the next marks, in seconds from the start of the file.

        Args:
            name: the speaker's name for listeners; "" shows none, None the marks' own speakers.
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
        return _Srt(level, speakers)
    if name == "vtt":
        return _Vtt(level)
    return _Lab(level) if name == "lab" else _Json()


def to_text(marks: Marks, name: str, level: str = "", *, speakers: bool = False) -> str:
    """Whole file at once; the arguments are those of ``subtitle_format``."""
    chosen = subtitle_format(name, level, speakers=speakers)
    return chosen.head() + chosen.body(marks) + chosen.foot()


@dataclass(slots=True)
class _Srt:
    level: str
    speakers: bool
    _number: int = 0

    def head(self) -> str:
        return ""

    def body(self, marks: Marks, name: str | None = None) -> str:
        return "".join(self._cue(mark, name) for mark in marks.level(self.level))

    def foot(self) -> str:
        return ""

    def _cue(self, mark: Mark, name: str | None) -> str:
        self._number += 1
        start, end = _milliseconds(mark)
        who = (mark.speaker if self.speakers else "") if name is None else name
        text = wrap(f"{who}: {mark.text}" if who and self.level == "sentence" else mark.text)
        return f"{self._number}\n{_clock(start, ',')} --> {_clock(end, ',')}\n{text}\n\n"


@dataclass(slots=True)
class _Vtt:
    level: str

    def head(self) -> str:
        return "WEBVTT\n\n"

    def body(self, marks: Marks, name: str | None = None) -> str:
        return "".join(self._cue(mark, name) for mark in marks.level(self.level))

    def foot(self) -> str:
        return ""

    def _cue(self, mark: Mark, name: str | None) -> str:
        start, end = _milliseconds(mark)
        text = _escape(wrap(mark.text))
        who = mark.speaker if name is None else name
        voiced = f"<v {_escape(who)}>{text}</v>" if who else text
        return f"{_clock(start, '.')} --> {_clock(end, '.')}\n{voiced}\n\n"


@dataclass(slots=True)
class _Lab:
    """``start end label`` in units of 100 ns; blanks in a label become ``_``."""

    level: str

    def head(self) -> str:
        return ""

    def body(self, marks: Marks, name: str | None = None) -> str:  # noqa: ARG002
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

    def body(self, marks: Marks, name: str | None = None) -> str:
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


def _milliseconds(mark: Mark) -> tuple[int, int]:
    start = max(0, round(mark.start * 1000))
    # A cue that ends when it begins is an error to a parser.
    return start, max(round(mark.end * 1000), start + 1)


def _clock(milliseconds: int, point: str) -> str:
    seconds, rest = divmod(milliseconds, 1000)
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}{point}{rest:03d}"


def _escape(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
