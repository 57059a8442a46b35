"""A page that plays a programme: ``index.html`` beside the audio, complete in itself.

It needs no network and no server. Sentences are links, so that it can be read without a script, and one can link to a
sentence (``index.html#s12``). All text is escaped, and the page's own policy lets no other script run.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any
from urllib.parse import quote

from engine.encoding import find_format
from engine.marks import Marks

# What browsers seek best comes first; they take the first one they can play.
_PREFERENCE = ("m4b", "m4a", "mp3", "opus", "flac", "wav")


@dataclass(frozen=True, slots=True)
class PlayerChapter:
    """A chapter as the page lists it: ``start`` in seconds within its track."""

    title: str
    track: int
    start: float
    duration_seconds: float


@dataclass(slots=True)
class PlayerPage:
    """The page of one programme; sentences are added in the order of time.

    Attributes:
        title, author: of the programme.
        duration_seconds: of the whole.
        tracks: file names of each sound that is played in turn, in all its formats.
        chapters: in order; a single untitled one is not listed.
        cover: file name, "" for none.
        several_speakers: show who speaks.
    """

    title: str
    author: str
    duration_seconds: float
    tracks: Sequence[Sequence[str]]
    chapters: Sequence[PlayerChapter]
    cover: str = ""
    several_speakers: bool = False
    _text: list[str] = field(default_factory=list)
    _count: int = 0
    _chapter: int = -1
    _line: int = -1
    _speaker: str = ""

    def add(self, marks: Marks, chapter: int, line: int) -> None:
        """The sentences of the next part, in seconds within the chapter's track."""
        if chapter != self._chapter:
            self._open_chapter(chapter)
        for mark in marks.sentences:
            if line != self._line or mark.speaker != self._speaker:
                self._open_paragraph(line, mark.speaker)
            track = self.chapters[chapter].track
            self._text.append(
                f'<a id="s{self._count}" href="#s{self._count}" tabindex="-1" data-track="{track}"'
                f' data-chapter="{chapter}" data-start="{mark.start:.3f}" data-end="{mark.end:.3f}">'
                f"{html.escape(mark.text)}</a>"
            )
            self._count += 1

    def render(self) -> str:
        """The whole page."""
        if self._count:
            self._text.append("</p>\n")
        style, script = _asset("player.css"), _asset("player.js")
        return _filled(
            _asset("player.html"),
            {
                "TITLE": html.escape(self.title or "音声"),
                "AUTHOR": f'<p class="author">{html.escape(self.author)}</p>' if self.author else "",
                "DURATION": _spoken_duration(self.duration_seconds),
                "COVER": f'<img src="{quote(self.cover)}" alt="表紙">' if self.cover else "",
                "CHAPTERS": self._navigation(),
                "TEXT": "".join(self._text),
                "TRACKS": _json([{"sources": _sources(names)} for names in self.tracks]),
                "STYLE": style,
                "SCRIPT": script,
                "STYLE_HASH": _digest(style),
                "SCRIPT_HASH": _digest(script),
            },
        )

    def _open_chapter(self, chapter: int) -> None:
        if self._count:
            self._text.append("</p>\n")
        if self._lists_chapters():
            self._text.append(f"<h2>{html.escape(self.chapters[chapter].title)}</h2>\n")
        self._chapter, self._line, self._speaker = chapter, -1, ""

    def _open_paragraph(self, line: int, speaker: str) -> None:
        if self._line != -1:
            self._text.append("</p>\n")
        self._text.append("<p>")
        if self.several_speakers and speaker != self._speaker:
            self._text.append(f'<span class="who">{html.escape(speaker)}</span>')
        self._line, self._speaker = line, speaker

    def _lists_chapters(self) -> bool:
        return len(self.chapters) > 1 or any(chapter.title for chapter in self.chapters)

    def _navigation(self) -> str:
        if not self._lists_chapters():
            return ""
        rows = [
            f'<li><button type="button" data-track="{chapter.track}" data-start="{chapter.start:.3f}">'
            f"<span>{html.escape(chapter.title)}</span> <span>{_clock(chapter.duration_seconds)}</span></button></li>"
            for chapter in self.chapters
        ]
        return '<nav aria-label="章"><h2>章</h2>\n<ol>\n' + "\n".join(rows) + "\n</ol></nav>"


def _filled(template: str, values: dict[str, str]) -> str:
    """The template with its ``%NAME%`` places filled, in one pass: what is filled in is not looked at again."""
    pieces = template.split("%")
    return "".join(values.get(piece, piece) if place % 2 else piece for place, piece in enumerate(pieces))


def _sources(names: Sequence[str]) -> list[dict[str, Any]]:
    ranked = sorted(names, key=lambda name: _PREFERENCE.index(find_format(name.rsplit(".", 1)[-1]).name))
    return [{"src": quote(name), "type": find_format(name.rsplit(".", 1)[-1]).media_type} for name in ranked]


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False).replace("<", "\\u003c")


def _asset(name: str) -> str:
    return files("tasks.programme").joinpath(name).read_text(encoding="utf-8")


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _clock(seconds: float) -> str:
    whole = round(seconds)
    hours, minutes = whole // 3600, whole // 60 % 60
    return f"{hours}:{minutes:02d}:{whole % 60:02d}" if hours else f"{minutes}:{whole % 60:02d}"


def _spoken_duration(seconds: float) -> str:
    whole = round(seconds)
    named = ((whole // 3600, "時間"), (whole // 60 % 60, "分"), (whole % 60, "秒"))
    return "".join(f"{count}{unit}" for count, unit in named if count) or "0秒"
