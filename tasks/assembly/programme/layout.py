"""File layout of a programme: its files and their metadata."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from koebin.engine.audio.encoding import Chapter, Cover, Encoding, Tags
from koebin.engine.audio.formats import EPUB_FORMATS
from koebin.tasks.assembly.programme.deliverables import Deliverables
from koebin.tasks.assembly.programme.files import File, audio_name, finished, marks_name
from koebin.tasks.assembly.programme.timeline import Span, Timeline


@dataclass(frozen=True, slots=True)
class Layout:
    """Files of a programme. Spans are numbered: 0 is the whole programme, chapters count from 1."""

    wanted: Deliverables
    timeline: Timeline
    folder: Path

    def stem(self, number: int) -> str:
        """File stem of a chapter, from 1, or of the whole programme: 0."""
        digits = max(2, len(str(len(self.timeline.chapters))))
        return f"{self.wanted.name}-{number:0{digits}d}" if number else self.wanted.name

    def title(self, number: int) -> str:
        """Title of a chapter, or of the whole programme: 0."""
        if number == 0:
            return self.wanted.title
        span = self.timeline.chapters[number - 1]
        return span.title or (self.wanted.title if number == 1 else "") or str(number)

    def span(self, number: int) -> Span:
        if number == 0:
            return Span(self.wanted.title, 0, self.timeline.samples)
        return self.timeline.chapters[number - 1]

    def seconds(self, number: int) -> float:
        span = self.span(number)
        return (span.end - span.start) / self.timeline.sample_rate_hz

    def numbers(self) -> list[int]:
        """Spans with files of their own: 0 for the whole, and the chapters."""
        chapters = range(1, len(self.timeline.chapters) + 1) if self.wanted.per_chapter else range(0)
        return [0] * self.wanted.whole + list(chapters)

    def lists_chapters(self) -> bool:
        """Whether there are chapters to list; a single one without a title does not count."""
        spans = self.timeline.chapters
        return len(spans) > 1 or any(span.title for span in spans)

    def chapters(self) -> list[Chapter]:
        """Chapters for the containers that list them."""
        spans, rate = self.timeline.chapters, self.timeline.sample_rate_hz
        if not self.lists_chapters():
            return []
        return [Chapter(self.title(number), span.start / rate, span.end / rate) for number, span in enumerate(spans, 1)]

    def encoding(self, number: int) -> Encoding:
        """Encoding of a span's audio; the format is filled in later."""
        wanted, span = self.wanted, self.span(number)
        tags = Tags(
            title=self.title(number),
            artist=wanted.author,
            album=wanted.title,
            track=number,
            tracks=len(self.timeline.chapters) if number else 0,
            genre="Speech" if wanted.title or wanted.author else "",
            comment="; ".join(wanted.credits),
        )
        return Encoding(
            format="wav",
            sample_rate_hz=self.timeline.sample_rate_hz,
            samples=span.end - span.start,
            bitrate_kbps=wanted.bitrate_kbps,
            tags=tags,
            chapters=() if number else self.chapters(),
            cover=Cover(wanted.cover) if wanted.cover else None,
        )

    def audio_paths(self, number: int) -> list[Path]:
        """Paths of a span's audio files."""
        return [self.folder / audio_name(self.stem(number), name) for name in self.wanted.formats]

    def cover_path(self) -> Path:
        return self.folder / f"cover{Cover(self.wanted.cover or b'').suffix}"

    def epub_path(self) -> Path:
        return self.folder / f"{self.stem(0)}.epub"

    def epub_audio(self, number: int) -> Path:
        """The sound file that a chapter is spoken from in the EPUB: its own, if it has one."""
        known = [name for name in EPUB_FORMATS if name in self.wanted.formats]
        return self.folder / audio_name(self.stem(number if self.wanted.per_chapter else 0), known[0])

    def finished_audio(self) -> tuple[File, ...]:
        """Every audio file, measured and hashed."""
        return tuple(
            finished(path, "audio", chapter=number, duration_seconds=self.seconds(number))
            for number in self.numbers()
            for path in self.audio_paths(number)
        )

    def finished_descriptions(self) -> tuple[File, ...]:
        """Every other file, measured and hashed."""
        wanted, files = self.wanted, []
        for number in self.numbers():
            for one in wanted.subtitles:
                path = self.folder / marks_name(self.stem(number), one)
                files.append(finished(path, "marks", chapter=number, duration_seconds=self.seconds(number)))
        if self.lists_chapters():
            files.append(finished(self.folder / "chapters.json", "chapters"))
        if wanted.cover:
            files.append(finished(self.cover_path(), "cover"))
        if wanted.player:
            files.append(finished(self.folder / "index.html", "player"))
        if wanted.epub:
            files.append(finished(self.epub_path(), "epub", duration_seconds=self.timeline.duration_seconds))
        if wanted.audiobookshelf:
            files.append(finished(self.folder / "metadata.json", "metadata"))
        return tuple(files)
