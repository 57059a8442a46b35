"""Checks of a text before anything is queued: refused is what holds nothing to speak. Light: needs no Open JTalk."""

from __future__ import annotations

import unicodedata
from typing import Final

from koebin.engine.errors import InvalidText
from koebin.engine.text.characters import is_speech
from koebin.engine.text.unreadable import without_unreadable

MAX_CHARS: Final = 10_000_000
"""A text; about 400 hours of speech."""
MAX_LINE_CHARS: Final = 100_000
"""A line; a whole chapter fits."""


def check_text(
    text: str, max_chars: int = MAX_CHARS, max_line_chars: int = MAX_LINE_CHARS, *, allow_mute: bool = False
) -> str:
    """The text itself, if it can be spoken; what cannot be read is left out then (``koebin.engine.text.unreadable``).

    Args:
        allow_mute: accept a text of punctuation alone, which is silence.

    Raises:
        InvalidText: it is no string, it is empty or white space, holds half of a surrogate pair, has nothing to speak,
            or a line (or all of it) is too long. With line and column, counted from 1 in characters.
    """
    if not isinstance(text, str):
        raise InvalidText("the text is no string", type(text).__name__, "Decode it first")
    if not text.strip():
        raise InvalidText("the text is empty", hint="Give at least one word")
    if len(text) > max_chars:
        raise InvalidText(
            f"the text has {len(text)} characters, more than {max_chars}", hint="Split it into several jobs"
        )
    for number, line in enumerate(_lines(text), start=1):
        _check_line(line, number, max_line_chars)
    if not allow_mute and not has_speech(text):
        raise InvalidText("the text has nothing to speak", text.strip(), "Give at least one word", 1, 1)
    return text


def has_speech(text: str) -> bool:
    """Whether anything is left to say when what cannot be read is left out."""
    return any(is_speech(char) for char in without_unreadable(text)[0])


def _lines(text: str) -> list[str]:
    return text.replace("\r\n", "\n").replace("\r", "\n").split("\n")


def _check_line(line: str, number: int, max_chars: int) -> None:
    if len(line) > max_chars:
        raise InvalidText(
            f"the line has {len(line)} characters, more than {max_chars}",
            line[:40],
            "Break it into shorter lines, or check that this is a text file",
            number,
            max_chars + 1,
        )
    if line.isprintable():
        return
    for column, char in enumerate(line, start=1):
        if unicodedata.category(char) == "Cs":
            raise InvalidText(
                "half of a surrogate pair", f"U+{ord(char):04X}", "Save the text as UTF-8 again", number, column
            )
