"""Passages put together into a script, so that nothing vanishes and every passage has something to speak."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from koebin.engine.content import Reading
from koebin.engine.errors import InvalidScript
from koebin.engine.options import RANGES
from koebin.engine.text.characters import is_speech
from koebin.engine.text.dictionary import Dictionary
from koebin.producers.formats.voice import Voice
from koebin.tasks.script import Chapter, Cover, Ending, LineError, Passage, Script

_STRENGTH: Final[dict[Ending, int]] = {"span": 0, "sentence": 1, "paragraph": 2, "chapter": 3}
MAX_PAUSE: Final = RANGES["pause"][1]


class ScriptBuilder:
    """Collects passages in reading order.

    What has nothing to speak (``……``, a row of asterisks) is no passage of its own: it joins the one before it, or the
    one after it if it is the first.
    """

    def __init__(self) -> None:
        self.title = ""
        self.author = ""
        self.cover: Cover | None = None
        self._passages: list[Passage] = []
        self._chapters: list[Chapter] = []
        self._heading: str | None = ""
        self._first = 0
        self._mute = ""

    @property
    def speaks(self) -> bool:
        """Whether there is a passage yet."""
        return bool(self._passages)

    def chapter(self, title: str) -> None:
        """What follows belongs to a new chapter; one without a passage is left out."""
        self.end("chapter")
        self._heading = title

    @property
    def chapter_title(self) -> str:
        """Title of the chapter that the last passage belongs to."""
        return self._chapters[-1].title if self._chapters else ""

    def entitle(self) -> None:
        """What has been added since ``chapter`` is its title."""
        if self._heading is None:
            title = "".join(passage.text for passage in self._passages[self._first :])
            self._chapters[-1] = Chapter(title.replace("\n", " "))

    def end(self, ending: Ending) -> None:
        """The last passage ends at least with that."""
        if self._passages and _STRENGTH[self._passages[-1].ends] < _STRENGTH[ending]:
            self._passages[-1] = replace(self._passages[-1], ends=ending)

    def add(
        self,
        text: str,
        voice: Voice,
        *,
        readings: Sequence[Reading] = (),
        line: int = 0,
        ends: Ending = "paragraph",
        item: str = "",
    ) -> None:
        """Append a passage; ``readings`` count in ``text``. White space alone ends the passage before it."""
        start = len(text) - len(text.lstrip())
        text = text.strip()
        if not text:
            self.end(ends)
            return
        readings = [replace(each, start=each.start - start, end=each.end - start) for each in readings]
        if not any(is_speech(character) for character in text):
            self._join(text, ends, item)
            return
        if self._mute:
            lead, self._mute = self._mute + "\n", ""
            readings = [replace(r, start=r.start + len(lead), end=r.end + len(lead)) for r in readings]
            text = lead + text
        self._open_chapter()
        passage = Passage(
            text=text,
            speaker=voice.speaker,
            options=voice.options,
            readings=tuple(readings),
            chapter=len(self._chapters) - 1,
            line=line,
            ends=ends,
            item=item,
            name=voice.name,
        )
        self._passages.append(passage)

    def pause(self, seconds: float, line: int = 0, column: int = 0) -> None:
        """Silence after the last passage; silences in a row add up.

        Raises:
            InvalidScript: there is nothing before it, or it is too long.
        """
        if not self._passages:
            raise InvalidScript(
                "a pause before the first text",
                hint="Remove it, or write something before it",
                line=line,
                column=column,
            )
        last = self._passages[-1]
        total = (last.pause or 0.0) + seconds
        if not 0.0 <= total <= MAX_PAUSE:
            raise InvalidScript("the pause is too long", f"{total:g} s", f"Use at most {MAX_PAUSE:g} s", line, column)
        self._passages[-1] = replace(last, pause=total)

    def take(self, other: ScriptBuilder) -> None:
        """Append the passages of a builder that has no chapters.

        Raises:
            InvalidScript: it has nothing to speak.
        """
        passages = other.build().passages
        self._open_chapter()
        self._passages.extend(passages)

    def build(
        self,
        *,
        dictionary: Dictionary | None = None,
        items: bool = False,
        errors: Sequence[LineError] = (),
        output: Mapping[str, Any] | None = None,
    ) -> Script:
        """The script.

        Raises:
            InvalidScript: there is nothing to speak.
        """
        if not self._passages:
            raise InvalidScript("there is nothing to speak", self._mute, "Give at least one word")
        return Script(
            passages=tuple(self._passages),
            chapters=tuple(self._chapters),
            title=self.title,
            author=self.author,
            cover=self.cover,
            dictionary=dictionary or Dictionary(),
            items=items,
            errors=tuple(errors),
            output=dict(output or {}),
        )

    def _open_chapter(self) -> None:
        if self._heading is not None:
            self._chapters.append(Chapter(self._heading))
            self._first = len(self._passages)
            self._heading = None

    def _join(self, text: str, ends: Ending, item: str) -> None:
        if not self._passages or self._passages[-1].item != item:
            self._mute = f"{self._mute}\n{text}" if self._mute else text
            return
        last = self._passages[-1]
        between = "" if last.ends == "span" else "\n"
        self._passages[-1] = replace(last, text=last.text + between + text)
        self.end(ends)
