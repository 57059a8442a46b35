"""Dictionaries of other programs: user_dict JSON of VOICEVOX and AivisSpeech, text lists of Japanese input methods."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from koebin.engine.errors import InvalidDictionary
from koebin.engine.text.dictionary import MAX_PRIORITY, Entry
from koebin.engine.text.katakana import split_morae

_HEADER: Final = re.compile(r"^(?:!|#|;|//)")
_COLUMNS: Final = re.compile(r"\t|,")
_READING: Final = re.compile("[ぁ-ゖァ-ヺー・゛゜ｦ-ﾟ]+")
_NO_WORDS: Final = ("短縮", "顔文字", "記号", "サジェスト", "抑制", "定型")
"""Parts of speech of entries that are typed, and not read, as their reading says."""


def is_user_dict(document: object) -> bool:
    """Whether a JSON document is a user dictionary of VOICEVOX or AivisSpeech: words by their UUID."""
    return (
        isinstance(document, Mapping)
        and bool(document)
        and all(isinstance(word, Mapping) and {"surface", "pronunciation"} <= set(word) for word in document.values())
    )


def from_user_dict(document: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[int, Entry]]:
    """Words of such a dictionary; AivisSpeech gives lists, one item for each accent phrase of a word.

    Raises:
        InvalidDictionary: a word without a reading, or one that cannot be used.
    """
    for number, word in enumerate(document.values(), start=1):
        surface, pronunciation = _joined(word["surface"]), _joined(word["pronunciation"])
        try:
            accent = _accent(word["pronunciation"], word.get("accent_type", 0))
            priority = min(max(int(word.get("priority", 5)), 0), MAX_PRIORITY)
            yield 0, Entry(surface, pronunciation, accent, priority)
        except (TypeError, ValueError) as error:
            what = f"word {number} of the user dictionary has a wrong type"
            raise InvalidDictionary(what, surface, "Export the dictionary again") from error


def _joined(value: object) -> str:
    return "".join(map(str, value)) if isinstance(value, list) else str(value)


def _accent(pronunciation: object, accent: object) -> int:
    """The last fall in the word; each accent counts in its own part."""
    parts = pronunciation if isinstance(pronunciation, list) else [pronunciation]
    accents = accent if isinstance(accent, list) else [accent]
    found = place = 0
    for part, fall in zip(parts, accents, strict=False):
        found = place + int(fall) if int(fall) else found
        place += len(split_morae(str(part)))
    return min(found, place)


def is_ime_list(text: str) -> bool:
    """Whether most lines of a text are ``reading<TAB>word<TAB>part of speech``, as Microsoft IME, Google Japanese Input
    and ATOK export them."""
    lines = [line for line in text.splitlines() if line.strip() and not _HEADER.match(line)]
    rows = [row for row in map(_row, lines) if row]
    return bool(rows) and 2 * len(rows) > len(lines)


def from_ime_list(text: str) -> Iterator[tuple[int, Entry]]:
    """Words of such a list; of several readings of a word the first. Abbreviations and emoticons are none."""
    seen: set[str] = set()
    for number, line in enumerate(text.splitlines(), start=1):
        row = None if _HEADER.match(line) else _row(line)
        if row is None or any(name in row[2] for name in _NO_WORDS):
            continue
        try:
            entry = Entry(row[1], row[0])
        except InvalidDictionary:
            continue  # a phrase with spaces, or a reading that nobody can say: typed, not read
        if entry.surface not in seen and entry.surface != row[0]:
            seen.add(entry.surface)
            yield number, entry


def _row(line: str) -> tuple[str, str, str] | None:
    cells = [cell.strip().strip('"') for cell in _COLUMNS.split(line)]
    if len(cells) < 3 or not _READING.fullmatch(cells[0]) or not cells[1]:
        return None
    return cells[0], cells[1], cells[2]
