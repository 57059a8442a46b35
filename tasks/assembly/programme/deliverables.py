"""Parts and deliverables: input and output of a programme's assembly."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass, field

from koebin.engine.audio.audio import Audio
from koebin.engine.audio.encoding import Cover, find_format
from koebin.engine.audio.formats import EPUB_FORMATS
from koebin.engine.audio.marks import Mark, Marks
from koebin.engine.audio.subtitles import subtitle_format
from koebin.engine.errors import InvalidOption

_NAME = re.compile(r"\w[\w.-]{0,179}")
_LONGEST_PAUSE_SECONDS = 3600.0


@dataclass(frozen=True, slots=True)
class Part:
    """One sentence of a programme.

    Attributes:
        sound: loads the audio, whose own marks are ignored.
        text: the requested text, for the player page, and for the marks if ``marks`` has no sentence.
        marks: seconds from the part's first sample.
        speaker: of every mark that names none.
        pause_after: seconds of silence that follow, 0 to 3600.
        line: line in the script, for errors.
        pause_before: seconds of silence that precede, 0 to 3600; marks do not count them.
    """

    sound: Callable[[], Audio]
    text: str
    marks: Marks = field(default_factory=Marks)
    speaker: str = ""
    pause_after: float = 0.0
    line: int = 0
    pause_before: float = field(default=0.0, kw_only=True)

    def __post_init__(self) -> None:
        for pause in (self.pause_before, self.pause_after):
            if not (math.isfinite(pause) and 0.0 <= pause <= _LONGEST_PAUSE_SECONDS):
                raise InvalidOption("a pause is out of range", str(pause), "Use 0 to 3600 seconds", self.line)

    def marks_within(self, duration_seconds: float) -> Marks:
        """Marks cut at the part's end, each with a speaker, and at least one sentence."""
        marks = self.marks
        if not marks.sentences:
            whole = (Mark(self.text, 0.0, duration_seconds),)
            marks = Marks(whole, marks.words, marks.moras, marks.phones)
        levels = marks.levels()
        return Marks(*(tuple(self._kept(mark, duration_seconds) for mark in level) for level in levels))

    def _kept(self, mark: Mark, end: float) -> Mark:
        return Mark(mark.text, min(mark.start, end), min(mark.end, end), mark.speaker or self.speaker)


@dataclass(frozen=True, slots=True)
class Deliverables:
    """Requested files of a programme.

    Attributes:
        formats: audio formats that ``koebin.engine.audio.encoding`` knows.
        whole: one file with everything.
        per_chapter: one file for each chapter.
        loudness_lufs: integrated loudness of the whole programme, -70 to 0; None leaves it as it was spoken.
        true_peak_dbtp: no peak stands above it, -20 to 0.
        subtitles: ``format`` or ``format:level``: ``srt``, ``vtt:word``, ``lab``, ``json``; beside every audio file.
        player: an ``index.html`` beside the audio.
        epub: an EPUB that holds text and sound, in the first of ``formats`` that readers play (MP3, M4A, Opus).
        audiobookshelf: a ``metadata.json`` for Audiobookshelf.
        bitrate_kbps: of the lossy formats, None for their defaults.
        sample_rate_hz: of the programme, None for the first part's.
        title, author, cover: written into the files; the cover is PNG or JPEG bytes. A 、 parts several authors.
        credits: a line for each voice that names its makers or its licence; in tags and on the page.
        name: stem of the file names.

    Raises:
        InvalidOption: an impossible value, before anything is rendered.
    """

    formats: tuple[str, ...] = ("wav",)
    whole: bool = True
    per_chapter: bool = False
    loudness_lufs: float | None = None
    true_peak_dbtp: float = -1.0
    subtitles: tuple[str, ...] = ()
    player: bool = False
    epub: bool = False
    audiobookshelf: bool = False
    bitrate_kbps: int | None = None
    sample_rate_hz: int | None = None
    title: str = ""
    author: str = ""
    credits: tuple[str, ...] = ()
    cover: bytes | None = None
    series: str = ""
    volume: str = ""
    name: str = "programme"

    def __post_init__(self) -> None:
        if not self.formats or not (self.whole or self.per_chapter):
            raise InvalidOption(
                "no audio file is requested",
                "",
                "Give at least one format, and ask for the whole, the chapters or both",
            )
        names = tuple(dict.fromkeys(find_format(name).name for name in self.formats))
        object.__setattr__(self, "formats", names)
        object.__setattr__(self, "subtitles", tuple(dict.fromkeys(self.subtitles)))
        for name in names:
            find_format(name).bitrate_for(self.bitrate_kbps)
        if self.epub and not set(names) & EPUB_FORMATS.keys():
            raise InvalidOption("an EPUB needs sound that readers play", ", ".join(names), "Add the format mp3")
        for wanted in self.subtitles:
            subtitle_format(*wanted.split(":", 1))
        if self.cover is not None:
            Cover(self.cover)
        if not _NAME.fullmatch(self.name):
            raise InvalidOption(
                "not a valid stem for file names", self.name, "Use 1 to 180 letters, figures, . _ and -"
            )
        _check_range("loudness target", self.loudness_lufs, -70.0, 0.0)
        _check_range("true-peak ceiling", self.true_peak_dbtp, -20.0, 0.0)
        _check_range("sample rate", self.sample_rate_hz, 8_000, 192_000)

    @property
    def authors(self) -> tuple[str, ...]:
        """Each author by itself."""
        return tuple(dict.fromkeys(name for each in self.author.split("、") if (name := each.strip())))


def _check_range(name: str, value: float | None, low: float, high: float) -> None:
    if value is not None and not low <= value <= high:
        raise InvalidOption(f"{name} is out of range", str(value), f"Use {low:g} to {high:g}")
