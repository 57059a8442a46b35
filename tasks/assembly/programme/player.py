"""Player page of a programme: ``index.html`` beside the audio, self-contained.

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

from koebin.engine.audio.encoding import find_format
from koebin.engine.audio.marks import Marks

_COLOURS = 6
"""Number of colours for speakers' names in the style sheet."""


@dataclass(frozen=True, slots=True)
class PlayerChapter:
    """Chapter as the page lists it: ``start`` in seconds within its track."""

    title: str
    track: int
    start: float
    duration_seconds: float


@dataclass(slots=True)
class PlayerPage:
    """Page of one programme; sentences are added in the order of time.

    Attributes:
        title, author: of the programme.
        duration_seconds: of the whole.
        tracks: file names of each sound that is played in turn, in all its formats.
        chapters: in order; a single untitled one is not listed.
        cover: file name, "" for none.
        credits: a line for each voice that names its makers or its licence.
        several_speakers: show the speaker, also where the script has no names.
    """

    title: str
    author: str
    duration_seconds: float
    tracks: Sequence[Sequence[str]]
    chapters: Sequence[PlayerChapter]
    cover: str = ""
    several_speakers: bool = False
    credits: Sequence[str] = ()
    _text: list[str] = field(default_factory=list)
    _count: int = 0
    _chapter: int = -1
    _paragraph: tuple[int, str] | None = None
    _end: str = ""
    _colours: dict[str, int] = field(default_factory=dict)

    def add(self, marks: Marks, chapter: int, line: int, name: str | None = None) -> None:
        """Add the sentences of the next part, in seconds within the chapter's track; ``name`` as in ``Place``."""
        for mark in marks.sentences:
            who = (mark.speaker if self.several_speakers else "") if name is None else name
            if chapter != self._chapter and self._open_chapter(chapter, mark.text):
                self._open("<h2>", "</h2>")
            elif self._paragraph != (line, who):
                self._open_paragraph(line, who)
            track = self.chapters[chapter].track
            self._text.append(
                f'<a id="s{self._count}" href="#s{self._count}" tabindex="-1" data-track="{track}"'
                f' data-chapter="{chapter}" data-start="{mark.start:.3f}" data-end="{mark.end:.3f}">'
                f"{html.escape(mark.text)}</a>"
            )
            self._count += 1

    def render(self) -> str:
        """The whole page."""
        self._close()
        style, script = _asset("player.css"), _asset("player.js")
        return _filled(
            _asset("player.html"),
            {
                "TITLE": html.escape(self.title or "音声"),
                "AUTHOR": f'<p class="author">{html.escape(self.author)}</p>' if self.author else "",
                "CREDITS": "".join(f'<p class="meta">声: {html.escape(line)}</p>' for line in self.credits),
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

    def _open_chapter(self, chapter: int, first: str) -> bool:
        """Begin a chapter; True if its first sentence speaks the title, and thus is the heading."""
        self._close()
        self._chapter, self._paragraph = chapter, None
        if not self._lists_chapters():
            return False
        title = self.chapters[chapter].title
        if title == first.strip():
            return True
        self._text.append(f"<h2>{html.escape(title)}</h2>\n")
        return False

    def _open_paragraph(self, line: int, who: str) -> None:
        self._paragraph = (line, who)
        if not who:
            self._open("<p>", "</p>")
            return
        colour = self._colours.setdefault(who, len(self._colours)) % _COLOURS
        self._open(f'<p class="said"><span class="who c{colour}">{html.escape(who)}</span> <span>', "</span></p>")

    def _open(self, start: str, end: str) -> None:
        self._close()
        self._text.append(start)
        self._end = end

    def _close(self) -> None:
        if self._end:
            self._text.append(f"{self._end}\n")
        self._end = ""

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
    """Template with its ``%NAME%`` places filled in one pass; inserted text is not scanned again."""
    pieces = template.split("%")
    return "".join(values.get(piece, piece) if place % 2 else piece for place, piece in enumerate(pieces))


def _sources(names: Sequence[str]) -> list[dict[str, Any]]:
    """What browsers seek best comes first; they take the first one they can play."""
    known = sorted(((find_format(name.rsplit(".", 1)[-1]), name) for name in names), key=lambda one: one[0].player_rank)
    return [{"src": quote(name), "type": chosen.media_type} for chosen, name in known]


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False).replace("<", "\\u003c")


def _asset(name: str) -> str:
    return files("koebin.tasks.assembly.programme").joinpath(name).read_text(encoding="utf-8")


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
