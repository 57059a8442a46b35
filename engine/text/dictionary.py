"""User dictionaries: how words are to be read. A value that travels with a request, never a state of the process."""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any, Final

from koebin.engine.content_id import canonical_json
from koebin.engine.errors import InvalidDictionary
from koebin.engine.text.katakana import is_katakana_reading, sounded, split_morae

MAX_PRIORITY: Final = 10
MAX_SURFACE: Final = 100
MAX_READING: Final = 200
MAX_ENTRIES: Final = 100_000

_SMALL: Final = re.compile("(?:^|[ッー])[ァィゥェォャュョヮ]|[ァィゥェォャュョヮ]{2}|ッッ")
_PLAIN: Final = re.compile("[ぁ-ゖァ-ヺー一-鿿々]+")
_NOT_WRITTEN: Final = re.compile(r"[\s\u00ad\u200b-\u200f\u2060\ufe00-\ufe0f\ufeff]+")
_FIELDS: Final = {"surface": str, "reading": str, "accent": int, "priority": int}


@dataclass(frozen=True, slots=True)
class Entry:
    """One word.

    Attributes:
        surface: as it is written; width and case as NFKC folds them (``ＡＢＣ`` and ``ABC`` are one word).
        reading: katakana as it is said (トーキョー), or hiragana as it is spelt (とうきょう); kept as katakana.
        accent: the mora after which the pitch falls, 0 flat.
        priority: 0 to 10; how strongly the word is preferred to others that fit in the same place.

    Raises:
        InvalidDictionary: what is wrong with which word.
    """

    surface: str
    reading: str
    accent: int = 0
    priority: int = 8

    def __post_init__(self) -> None:
        for field in ("surface", "reading"):
            if not isinstance(getattr(self, field), str):
                raise InvalidDictionary(f"the {field} of a word is no string", repr(getattr(self, field)))
        object.__setattr__(self, "surface", _check_surface(self.surface))
        object.__setattr__(self, "reading", _check_reading(self.reading))
        _check_range("accent", self.accent, len(split_morae(self.reading)), self.surface, "the morae of its reading")
        _check_range("priority", self.priority, MAX_PRIORITY, self.surface, "the highest priority")


def _check_surface(surface: str) -> str:
    folded = unicodedata.normalize("NFKC", surface)
    if not folded:
        raise InvalidDictionary("a dictionary word is empty", hint="Give the word as it is written")
    if len(folded) > MAX_SURFACE:
        raise InvalidDictionary(f"a dictionary word is longer than {MAX_SURFACE} characters", folded)
    for char in folded:
        if char.isspace() or unicodedata.category(char)[0] in "CZ":
            raise InvalidDictionary(
                f"a dictionary word holds U+{ord(char):04X}",
                folded.encode("unicode_escape").decode() if not folded.isprintable() else folded,
                "Leave out spaces, line breaks and invisible characters",
            )
    return folded


def _check_reading(reading: str) -> str:
    kana = sounded(unicodedata.normalize("NFKC", reading))
    if not is_katakana_reading(kana):
        raise InvalidDictionary("a reading is not kana", reading, "Write it in katakana (or hiragana) only")
    if len(kana) > MAX_READING:
        raise InvalidDictionary(f"a reading is longer than {MAX_READING} kana", reading)
    if kana.startswith("ー") or _SMALL.search(kana):
        raise InvalidDictionary(
            "a reading cannot be pronounced",
            reading,
            "Put a full kana before ー and small kana",
        )
    return kana


def _check_range(name: str, value: object, highest: int, surface: str, what: str) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= highest:
        raise InvalidDictionary(f"{name} of {surface} is out of range", str(value), f"Use 0 to {highest}, {what}")


@dataclass(frozen=True)
class Dictionary:
    """A set of words; two dictionaries with the same words are the same, whatever their order.

    Raises:
        InvalidDictionary: the same word twice, or too many words.
    """

    entries: tuple[Entry, ...] = ()

    def __init__(self, entries: Iterable[Entry] = ()) -> None:
        words = tuple(sorted(entries, key=lambda entry: entry.surface))
        if len(words) > MAX_ENTRIES:
            raise InvalidDictionary(f"a dictionary has more than {MAX_ENTRIES} words", str(len(words)))
        for word, following in pairwise(words):
            if word.surface == following.surface:
                raise InvalidDictionary("a word is in the dictionary twice", word.surface, "Keep one of its readings")
        object.__setattr__(self, "entries", words)

    @cached_property
    def revision(self) -> str:
        """First 16 hex digits of a SHA-256 over the words; "" for an empty dictionary."""
        if not self.entries:
            return ""
        return hashlib.sha256(canonical_json([asdict(entry) for entry in self.entries])).hexdigest()[:16]

    @cached_property
    def protected(self) -> tuple[str, ...]:
        """The words of more than kana and kanji: what the normaliser would rewrite if they were not the user's."""
        return tuple(entry.surface for entry in self.entries if not _PLAIN.fullmatch(entry.surface))

    def within(self, text: str) -> Dictionary:
        """The words that are written in ``text``, with width and case as NFKC folds them, over spaces and line breaks.

        A dictionary reads what is written, not what figures and symbols are spelt out to: with no more than these words
        a text is spoken as with all of them, and its audio depends on nothing else. Light: needs no Open JTalk.
        """
        if not self.entries:
            return self
        written = _NOT_WRITTEN.sub("", unicodedata.normalize("NFKC", text))
        found = {
            surface
            for length in self._lengths
            for start in range(len(written) - length + 1)
            if (surface := written[start : start + length]) in self._surfaces
        }
        return Dictionary(self._surfaces[surface] for surface in found)

    @cached_property
    def _surfaces(self) -> dict[str, Entry]:
        return {entry.surface: entry for entry in self.entries}

    @cached_property
    def _lengths(self) -> tuple[int, ...]:
        return tuple(sorted({len(entry.surface) for entry in self.entries}))

    def to_json(self) -> str:
        """``[{"surface": "担々麺", "reading": "タンタンメン", "accent": 3, "priority": 8}]``, one word a line."""
        lines = ",\n".join(json.dumps(asdict(entry), ensure_ascii=False) for entry in self.entries)
        return f"[\n{lines}\n]\n" if lines else "[]\n"

    @classmethod
    def from_json(cls, document: str) -> Dictionary:
        """Read what ``to_json`` writes; ``accent`` and ``priority`` may be left out.

        Raises:
            InvalidDictionary: with the line where JSON is broken, else with the number of the word.
        """
        try:
            words = json.loads(document)
        except json.JSONDecodeError as error:
            raise InvalidDictionary(
                f"not JSON: {error.msg}", hint="Check quotation marks and commas", line=error.lineno, column=error.colno
            ) from error
        except (RecursionError, ValueError) as error:
            raise InvalidDictionary("a dictionary is a JSON list of words") from error
        if not isinstance(words, list):
            raise InvalidDictionary("a dictionary is a JSON list of words", type(words).__name__)
        return cls(_entry(word, number) for number, word in enumerate(words, start=1))


def _entry(word: Any, number: int) -> Entry:
    if not isinstance(word, Mapping):
        raise InvalidDictionary(f"word {number} is not an object", str(word))
    unknown = sorted(set(word) - set(_FIELDS))
    missing = sorted({"surface", "reading"} - set(word))
    if unknown or missing:
        what = f"has no {missing[0]}" if missing else f"has an unknown field {unknown[0]}"
        raise InvalidDictionary(f"word {number} {what}", str(dict(word)), f"Use the fields {', '.join(_FIELDS)}")
    for field, kind in _FIELDS.items():
        if field in word and type(word[field]) is not kind:
            raise InvalidDictionary(
                f"{field} of word {number} has the wrong type", str(word[field]), f"Use {kind.__name__}"
            )
    return Entry(**word)
