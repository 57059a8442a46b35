"""Rules for words with several readings, by the text around them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cache
from importlib import resources
from typing import Final, NamedTuple

from koebin.engine.text.features import Feature
from koebin.engine.text.katakana import to_katakana
from koebin.engine.text.rereading import merge, reread

_KANA: Final = re.compile("[ぁ-ゖァ-ヺー]*")
_RULE: Final = re.compile(r"(\S+) ([ァ-ヴー]+)(\d?) (.+)")


class _Rule(NamedTuple):
    """``pattern`` holds the word as its group ``word``; ``accent`` is None where the phrase keeps its own.

    It is compiled when a text first holds its word: all of them take a quarter of a second, at every start.
    """

    pattern: str
    reading: str
    accent: int | None


def read_heteronyms(text: str, features: list[Feature], offsets: list[int | None]) -> None:
    """Read such words as the text around them demands, in place.

    Args:
        text: what Open JTalk was given.
        features: N words.
        offsets: N + 1 places in ``text``, None inside of what is spelt otherwise.
    """
    rules = _rules()
    if rules.keys().isdisjoint(text):
        return
    found: dict[tuple[int, int], _Rule] = {}
    for char in dict.fromkeys(text):
        for rule in rules.get(char, ()):
            for start, end in _matches(rule.pattern, text):
                found.pop((start, end), None)
                found[start, end] = rule
    for (start, end), rule in found.items():
        read_span(text, features, offsets, start, end, rule.reading, rule.accent)


def read_span(
    text: str,
    features: list[Feature],
    offsets: list[int | None],
    start: int,
    end: int,
    reading: str,
    accent: int | None = None,
) -> bool:
    """Read ``text[start:end]`` as ``reading``, with the kana that its last word has behind it, in place.

    Returns:
        Whether it was done: not where a word begins before it, ends with more than kana, or is the user's.
    """
    if start not in offsets:
        return False
    first = offsets.index(start)
    last = next((index for index in range(first + 1, len(offsets)) if (offsets[index] or 0) >= end), 0)
    place = offsets[last]
    if not last or place is None or None in offsets[first:last]:
        return False
    rest = text[end:place].rstrip(" ")
    if not _KANA.fullmatch(rest) or any(word["is_reading_protected"] for word in features[first:last]):
        return False
    pron = reading + to_katakana(rest)
    if "".join(word["pron"] for word in features[first:last]).replace("’", "") == pron:
        return False
    if last - first == 1:
        reread(features, first, pron, accent)
    else:
        merge(features, first, last, pron, accent)
        del offsets[first + 1 : last]
    return True


_compiled: Final = cache(re.compile)


def _matches(pattern: str, text: str) -> Iterator[tuple[int, int]]:
    """The spans of the word; contexts may overlap."""
    compiled = _compiled(pattern)
    match = compiled.search(text)
    while match:
        yield match.span("word")
        match = compiled.search(text, match.start("word") + 1)


@cache
def _rules() -> dict[str, tuple[_Rule, ...]]:
    """The rules by the first character of their word, in their order."""
    lines = (resources.files("koebin.engine.text") / "data" / "heteronyms.txt").read_text("utf-8").splitlines()
    return _parsed(lines)


def _parsed(lines: Sequence[str]) -> dict[str, tuple[_Rule, ...]]:
    rules: dict[str, list[_Rule]] = {}
    for line in lines:
        if not line or line.startswith("#"):
            continue
        found = _RULE.fullmatch(line)
        if found is None or found[4].count("_") != 1:
            raise ValueError(f"not a rule: {line}")
        word, reading, accent, context = found.groups()
        before, after = context.split("_")
        pattern = f"(?:{before})(?P<word>{word})(?:{after})"
        rules.setdefault(word[0], []).append(_Rule(pattern, reading, int(accent) if accent else None))
    return {char: tuple(listed) for char, listed in rules.items()}
