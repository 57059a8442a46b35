"""Sentence splitting, and division of long sentences into parts. Needs no tokenizer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from koebin.engine.text.characters import (
    CLOSERS,
    COMMAS,
    LINE_BREAKS,
    OPENERS,
    TERMINATORS,
    is_japanese,
    is_speech,
    script,
)

_STOPS: Final = frozenset(".．")
_CONTINUATIONS: Final = frozenset("とっのをがはにもでへやかだな、，,")
"""What goes on with the sentence after a closed quotation: 「はい。」と言った。"""
_QUOTED: Final = 1000
"""Characters before a straight quotation mark among which its opening one is looked for."""
_ATTACHED: Final = frozenset("ぁぃぅぇぉっゃゅょゎァィゥェォッャュョヮヵヶーｰ々〻゛゜ﾞﾟｧｨｩｪｫｬｭｮｯん")
"""Never begin a part: they belong to the character before them."""


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence: ``text`` is ``source[start:end]``, and nothing but white space lies between two of them."""

    text: str
    start: int
    end: int


def split_sentences(text: str) -> list[Sentence]:
    """Cut at sentence ends and line breaks.

    Closing brackets stay with their sentence, and a quotation that the sentence goes on after does not end it. What has
    nothing to say (``……``, ``！！``) joins the sentence before it, or the one after it if it is the first.

    Returns:
        The sentences in order; white space around them is left out, nothing else is. Empty for white space alone.
    """
    return [Sentence(text[start:end], start, end) for start, end in _glue(text, _pieces(text))]


def split_long(text: str, limit: int = 200) -> list[str]:
    """Cut a sentence into parts of at most ``limit`` characters whose concatenation is ``text``.

    Cuts lie after commas where there are any, else beside brackets or spaces, else where hiragana ends (which is where
    Japanese phrases end), else where the script changes; only text that offers none of these is cut blindly.

    Raises:
        ValueError: ``limit`` is below 1.
    """
    if limit < 1:
        raise ValueError(f"limit must be at least 1, got {limit}")
    parts = []
    start = 0
    while len(text) - start > limit:
        cut = _best_cut(text, start, limit)
        parts.append(text[start:cut])
        start = cut
    return [*parts, text[start:]]


def _pieces(text: str) -> Iterator[tuple[int, int]]:
    start = position = 0
    while position < len(text):
        if text[position] in LINE_BREAKS:
            yield start, position
            start = position = position + 1
        elif _ends_sentence(text, position):
            after = _skip(text, position + 1, TERMINATORS)
            closed = _skip_closers(text, start, after)
            if closed == after or not _goes_on(text, closed):
                yield start, closed
                start = closed
            position = closed
        else:
            position += 1
    yield start, len(text)


def _ends_sentence(text: str, position: int) -> bool:
    char = text[position]
    if char in TERMINATORS:
        return not (char == "?" and _within_address(text, position))
    if char not in _STOPS or position == 0:
        return False
    before, after = text[position - 1], text[position + 1 : position + 2]
    if not (is_japanese(before) or before in CLOSERS) or (after and after in _STOPS):
        return False
    return script(before) == "hiragana" or not after or script(after) not in ("latin", "digit")


def _within_address(text: str, position: int) -> bool:
    """A question mark between Latin letters, figures and slashes belongs to an address (``https://a.b/?q=1``)."""
    around = text[position - 1 : position] + text[position + 1 : position + 2]
    return len(around) == 2 and all(char.isascii() and (char.isalnum() or char in "/=&#_.-") for char in around)


def _skip(text: str, position: int, chars: frozenset[str]) -> int:
    while position < len(text) and text[position] in chars:
        position += 1
    return position


def _skip_closers(text: str, start: int, position: int) -> int:
    """The position after closing brackets, also after a straight quotation mark that was opened in this piece."""
    while position < len(text):
        char = text[position]
        straight = char in "\"'＂＇" and text.count(char, max(start, position - _QUOTED), position) % 2 == 1
        if not (char in CLOSERS or straight or char in TERMINATORS):
            break
        position += 1
    return position


def _goes_on(text: str, position: int) -> bool:
    return position < len(text) and text[position] in _CONTINUATIONS


def _glue(text: str, pieces: Iterator[tuple[int, int]]) -> list[tuple[int, int]]:
    """Trim the pieces and give those without speech to a neighbour."""
    glued: list[tuple[int, int]] = []
    mute_start: int | None = None
    for raw_start, raw_end in pieces:
        start, end = _trim(text, raw_start, raw_end)
        if start == end:
            continue
        if any(is_speech(char) for char in text[start:end]):
            glued.append((start if mute_start is None else mute_start, end))
            mute_start = None
        elif glued and text[end - 1] not in OPENERS:
            glued[-1] = (glued[-1][0], end)
        elif mute_start is None:
            mute_start = start
    if mute_start is not None:
        end = _trim(text, mute_start, len(text))[1]
        if glued:
            glued[-1] = (glued[-1][0], end)
        else:
            glued.append((mute_start, end))
    return glued


def _trim(text: str, start: int, end: int) -> tuple[int, int]:
    while start < end and text[start].isspace():
        start += 1
    while start < end and text[end - 1].isspace():
        end -= 1
    return start, end


def _best_cut(text: str, start: int, limit: int) -> int:
    """The best place to cut ``text[start:]``; parts are kept about equally long."""
    rest = len(text) - start
    wanted = start + rest / -(-rest // limit)
    best = start + limit
    best_score = (0, 0.0)
    for cut in range(start + max(1, limit // 4), start + limit + 1):
        score = (_cut_rank(text, cut), -abs(cut - wanted))
        if score[0] and (best_score[0] == 0 or score > best_score):
            best, best_score = cut, score
    return best


def _cut_rank(text: str, cut: int) -> int:
    """How good a cut before ``text[cut]`` is: 0 (never, if anything else is left) to 5."""
    before, after = text[cut - 1], text[cut]
    kinds = script(before), script(after)
    if after in _ATTACHED or after in CLOSERS or after in COMMAS or after in TERMINATORS:
        return 0
    if before in COMMAS or before in TERMINATORS:
        return 0 if kinds[1] == "digit" and text[cut - 2 : cut - 1].isdigit() else 5
    if before in CLOSERS or after in OPENERS or "space" in kinds:
        return 4
    if kinds[0] == "hiragana" and kinds[1] in ("kanji", "katakana", "latin", "digit"):
        return 3
    if kinds[0] != kinds[1] and "digit" not in kinds and kinds != ("kanji", "hiragana"):
        return 2
    return 1 if kinds[0] == kinds[1] == "hiragana" or kinds[0] == kinds[1] == "kanji" else 0
