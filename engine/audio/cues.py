"""Cues of subtitles: a sentence in parts of two lines and seven seconds, cut between phrases at the words' times."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from koebin.engine.audio.line_breaks import COLUMNS, one_line, phrases, width, wrap
from koebin.engine.audio.marks import Mark, Marks

LINES: Final = 2
SECONDS: Final = 7.0
"""Longest cue."""
SHORTEST_SECONDS: Final = 1.0
"""Shortest cue, where a pause follows that it can reach into."""
READING_SPEED: Final = 15.0
"""Characters a second beyond which nobody follows; a cue stays on while it is read, where a pause follows."""
GAP_SECONDS: Final = 0.083
"""Between two cues; two frames of a film."""
_ENDS: Final = frozenset("。！？!?」』、，,")


@dataclass(frozen=True, slots=True)
class Cue:
    """A cue: lines of text from ``start`` to ``end`` seconds."""

    text: str
    start: float
    end: float
    speaker: str = ""


def cues_of(marks: Marks, named: Callable[[Mark], str] = lambda _: "") -> list[Cue]:
    """The sentences as cues of at most two lines and about seven seconds.

    Args:
        named: text to be put before a sentence, such as its speaker's name.
    """
    found: list[Cue] = []
    starts = [mark.start for mark in marks.sentences]
    for index, sentence in enumerate(marks.sentences):
        low = starts[index] if index else float("-inf")
        high = starts[index + 1] if index + 1 < len(starts) else float("inf")
        words = [word for word in marks.words if low <= word.start < high]
        found += _split(sentence, named(sentence) + one_line(sentence.text), words)
    return found


def lengthened(cue: Cue, following: float | None) -> Cue:
    """A cue that stays on for as long as it takes to read, but not into the next one."""
    wanted = max(SHORTEST_SECONDS, len(cue.text.replace("\n", "")) / READING_SPEED)
    room = cue.end if following is None else following - GAP_SECONDS
    return replace(cue, end=max(cue.end, min(cue.start + wanted, room)))


def _split(sentence: Mark, text: str, words: Sequence[Mark]) -> list[Cue]:
    seconds = sentence.end - sentence.start
    parts, spans = [text], [(sentence.start, sentence.end)]
    for slack in (1.0, 1.2, 1.4, 1.7, 2.0):  # words are not spoken evenly
        parts = _parts(text, seconds * slack)
        times = _times(text, parts, sentence, words)
        spans = list(zip(times, [*times[1:], sentence.end], strict=True))
        if max(end - start for start, end in spans) <= SECONDS:
            break
    return [Cue(wrap(part), *span, sentence.speaker) for part, span in zip(parts, spans, strict=True)]


def _parts(text: str, seconds: float) -> list[str]:
    """The text in as few parts as fit, about equally long, each ending with punctuation where some is near."""
    count = max(-(-width(text) // (LINES * COLUMNS)), -(-int(seconds * 100) // int(SECONDS * 100)), 1)
    if count == 1 and _fits(text):
        return [text]
    pieces = phrases(text)
    while count < len(text):
        parts = _cut(pieces, width(text) / count)
        if all(_fits(part) for part in parts) or count > len(pieces):
            return parts
        count += 1
    return [text]


def _fits(part: str) -> bool:
    return wrap(part).count("\n") < LINES or width(part) <= COLUMNS


def _cut(pieces: Sequence[str], wanted: float) -> list[str]:
    parts: list[str] = [""]
    for index, piece in enumerate(pieces):
        here, more = width(parts[-1]), width(piece)
        # Punctuation may end a part up to a third before or after its share.
        over = here + more > wanted * 1.3 or here + more > LINES * COLUMNS
        full = here >= wanted * (0.7 if parts[-1][-1:] in _ENDS else 1.0)
        if parts[-1] and (over or full) and index < len(pieces):
            parts.append("")
        parts[-1] += piece
    return [part.strip() for part in parts if part.strip()]


def _times(text: str, parts: Sequence[str], sentence: Mark, words: Sequence[Mark]) -> list[float]:
    """When each part begins: with its first word, else between the words around its place."""
    anchors = [(0, sentence.start), *((place, word.start) for place, word in _places(text, words))]
    anchors.append((len(text), sentence.end))
    times = [sentence.start]
    offset = 0
    for part in parts[:-1]:
        offset = text.index(part, offset) + len(part)
        before = max(anchor for anchor in anchors if anchor[0] <= offset)
        after = min(anchor for anchor in anchors if anchor[0] >= offset)
        share = (offset - before[0]) / max(1, after[0] - before[0])
        times.append(min(max(before[1] + share * (after[1] - before[1]), times[-1]), sentence.end))
    return times


def _places(text: str, words: Sequence[Mark]) -> list[tuple[int, Mark]]:
    """Where each word stands in the text, those left out that are written in another way there."""
    folded, origins = _folded(text)
    found: list[tuple[int, Mark]] = []
    position = 0
    for word in words:
        surface = _folded(word.text)[0]
        place = folded.find(surface, position, position + 40 + len(surface)) if surface else -1
        if place >= 0:
            found.append((origins[place], word))
            position = place + len(surface)
    return found


def _folded(text: str) -> tuple[str, list[int]]:
    parts: list[str] = []
    origins: list[int] = []
    for index, character in enumerate(text):
        wide = unicodedata.normalize("NFKC", character).casefold()
        parts.append(wide)
        origins += [index] * len(wide)
    return "".join(parts), origins
