"""Passages put together into a script, so that nothing vanishes and every passage has something to speak."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from koebin.engine import limits
from koebin.engine.errors import InvalidScript, InvalidText
from koebin.engine.options import RANGES
from koebin.engine.reading import Reading
from koebin.engine.text.checks import has_speech
from koebin.engine.text.dictionary import Dictionary
from koebin.engine.text.given_readings import repeated_kana
from koebin.engine.text.unreadable import find_unreadable
from koebin.producers.formats.speaker_names import Voice
from koebin.tasks.script import Chapter, Cover, Ending, LeftOut, LineError, Passage, Script

_STRENGTH: Final[dict[Ending, int]] = {"span": 0, "sentence": 1, "paragraph": 2, "chapter": 3}
MAX_PAUSE: Final = RANGES["pause"][1]
_SHOWN: Final = 200


def _mended(text: str, reading: Reading, cut: int) -> Reading:
    """The reading within a text of which ``cut`` characters at the beginning are gone, without the kana behind its word
    that books print in it once more (食《たべる》べる).
    """
    moved = replace(reading, start=reading.start - cut, end=reading.end - cut)
    repeated = repeated_kana(text, moved)
    return replace(moved, kana=moved.kana[:-repeated]) if repeated else moved


class ScriptBuilder:
    """Collects passages in reading order.

    What has nothing to speak (``……``, a row of asterisks) is no passage of its own: it joins the one before it, or the
    one after it if it is the first. What another speaker does not say is that speaker's own silence.
    """

    def __init__(self) -> None:
        self.title = ""
        self.author = ""
        self.series = ""
        self.volume = ""
        self.cover: Cover | None = None
        self.left_out: list[LeftOut] = []
        self.warnings: list[LineError] = []
        self._passages: list[Passage] = []
        self._chapters: list[Chapter] = []
        self._heading: str | None = ""
        self._mute = ""
        self._mute_voice: Voice | None = None
        self._lead = 0.0
        self._characters = self._unreadable = 0

    @property
    def speaks(self) -> bool:
        """Whether there is something to speak yet."""
        return any(has_speech(passage.text) for passage in self._passages)

    def leave_out(self, reason: str, text: str, line: int = 0, column: int = 0, item: str = "") -> None:
        """Tell of something that nothing is said for."""
        self.left_out.append(LeftOut(line, text[:_SHOWN], reason, column, item))

    def chapter(self, title: str) -> None:
        """What follows belongs to a new chapter; one without a passage is left out."""
        self.end("chapter")
        self._heading = title

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
        readings = [_mended(text, each, start) for each in readings]
        self._tell_unreadable(text, line, item)
        if not has_speech(text):
            self._join(text, voice, line, ends, item)
            return
        if self._mute:
            text, readings = self._after_mute(text, voice, readings, line)
        self._append(text, voice, readings, line, ends, item)

    def _tell_unreadable(self, text: str, line: int, item: str) -> None:
        self._characters += len(text)
        for cluster in find_unreadable(text):
            self._unreadable += cluster.end - cluster.start
            before = text[: cluster.start].rpartition("\n")[0]
            place = line + (before.count("\n") + 1 if before else 0) if line else 0
            self.leave_out(f"cannot be read ({cluster.name})", cluster.text, place, item=item)

    def _append(self, text: str, voice: Voice, readings: Sequence[Reading], line: int, ends: Ending, item: str) -> None:
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
            lead=self._lead,
        )
        self._lead = 0.0
        self._passages.append(passage)

    def _after_mute(
        self, text: str, voice: Voice, readings: Sequence[Reading], line: int
    ) -> tuple[str, Sequence[Reading]]:
        """The first text after something silent: joined to it, unless that was somebody else's silence."""
        mute, silent, self._mute = self._mute, self._mute_voice, ""
        if silent is not None and _who(silent) != _who(voice):
            self._append(mute, silent, (), line, "paragraph", "")
            return text, readings
        lead = mute + "\n"
        return lead + text, [replace(r, start=r.start + len(lead), end=r.end + len(lead)) for r in readings]

    def warn(self, reason: str, text: str, line: int = 0) -> None:
        """Tell of something that is spoken, but not as the input has it."""
        self.warnings.append(LineError(line, "", f"{reason}: {text[:_SHOWN]}"))

    def add_cue(
        self, text: str, voice: Voice, *, readings: Sequence[Reading], line: int, start: float, end: float
    ) -> None:
        """Append a passage with a place in time of its own, in seconds."""
        self._tell_unreadable(text, line, "")
        self._append(text.strip(), voice, readings, line, "paragraph", "")
        self._passages[-1] = replace(self._passages[-1], start=start, end=end)

    def pause(self, seconds: float, line: int = 0, column: int = 0) -> None:
        """Silence after the last passage, or before the first; silences in a row add up.

        Raises:
            InvalidScript: it is too long.
        """
        last = self._passages[-1] if self._passages else None
        total = (last.pause or 0.0 if last else self._lead) + seconds
        if not 0.0 <= total <= MAX_PAUSE:
            raise InvalidScript("the pause is too long", f"{total:g} s", f"Use at most {MAX_PAUSE:g} s", line, column)
        if last:
            self._passages[-1] = replace(last, pause=total)
        else:
            self._lead = total

    def take(self, other: ScriptBuilder) -> None:
        """Append the passages of a builder that has no chapters.

        Raises:
            InvalidScript: it has nothing to speak.
        """
        script = other.build()
        self._characters += other._characters
        self._unreadable += other._unreadable
        self._open_chapter()
        self._passages.extend(script.passages)
        self.left_out.extend(script.left_out)

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
        if not self.speaks:
            first = next(iter(self.left_out), None)
            why = f": {first.reason}" if first else ""
            shown = self._mute or (first.text if first else "")
            raise InvalidScript(f"there is nothing to speak{why}", shown, "Give at least one word")
        self._refuse_what_was_decoded_wrongly()
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
            series=self.series,
            volume=self.volume,
            left_out=tuple(self.left_out),
            warnings=tuple(self.warnings),
        )

    def _refuse_what_was_decoded_wrongly(self) -> None:
        most = max(limits.UNREADABLE_FEWEST, limits.UNREADABLE_SHARE * self._characters)
        if self._unreadable > most:
            first = next(each for each in self.left_out if each.reason.startswith("cannot be read"))
            what = f"{self._unreadable} of {self._characters} characters cannot be read"
            hint = "Check its encoding: it was decoded as something that it is not"
            raise InvalidText(what, f"{first.text} {first.reason[15:]}", hint, first.line)

    def _open_chapter(self) -> None:
        if self._heading is not None:
            self._chapters.append(Chapter(self._heading.replace("\n", " ")))
            self._heading = None

    def _join(self, text: str, voice: Voice, line: int, ends: Ending, item: str) -> None:
        last = self._passages[-1] if self._passages else None
        if last is None or last.item != item or self._heading is not None:
            self._mute = f"{self._mute}\n{text}" if self._mute else text
            self._mute_voice = voice
            return
        if (last.speaker, last.name) != _who(voice):
            self._append(text, voice, (), line, ends, item)
            return
        between = "" if last.ends == "span" else "\n"
        self._passages[-1] = replace(last, text=last.text + between + text)
        self.end(ends)


def _who(voice: Voice) -> tuple[str, str]:
    return voice.speaker, voice.name
