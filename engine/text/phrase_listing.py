"""Accent phrases of a sentence, with the part of the text that each of them speaks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from koebin.engine.reading import Reading
from koebin.engine.text.frontend import read_sentence
from koebin.engine.text.given_readings import check_readings
from koebin.engine.text.kana import analyze_kana, has_phrases
from koebin.engine.text.katakana import split_morae
from koebin.engine.text.labels import accent_phrases

if TYPE_CHECKING:
    from koebin.engine.text.dictionary import Dictionary

WHISPERED: Final = "’"
"""Open JTalk's mark after a mora whose vowel is whispered."""
_PAUSES: Final = frozenset("、？！")


@dataclass(frozen=True, slots=True)
class AccentPhrase:
    """One accent phrase.

    Attributes:
        moras: katakana, as it is said.
        whispered: for each mora whether its vowel is.
        accent: the mora after which the pitch falls, 0 for a flat phrase.
        start, end: its span of the sentence in characters; None where no character can be named.
        pause: a pause follows within the sentence.
    """

    moras: tuple[str, ...]
    whispered: tuple[bool, ...]
    accent: int
    start: int | None
    end: int | None
    pause: bool = False


def read_phrases(
    text: str, readings: Sequence[Reading] = (), dictionary: Dictionary | None = None
) -> list[AccentPhrase]:
    """The accent phrases of one sentence, in order.

    Raises:
        As ``koebin.engine.text.frontend.analyze``.
    """
    ordered = check_readings(text, readings)
    if ordered and has_phrases(ordered[0].kana):
        return list(_spelt(ordered[0].kana))
    words = read_sentence(text, ordered, dictionary)
    found: list[AccentPhrase] = []
    paused = True
    for index, word in enumerate(words.features):
        pron = str(word["pron"])
        if pron in _PAUSES:
            paused = True
            if found:
                found[-1] = _followed(found[-1])
            continue
        moras, whispered = _moras(pron)
        if not moras:
            continue
        start, end = words.boundaries[index], words.boundaries[index + 1]
        if word["chain_flag"] == 1 and not paused:
            found[-1] = _longer(found[-1], moras, whispered, end)
        else:
            found.append(AccentPhrase(moras, whispered, _accent_of(words.features, index), start, end))
        paused = False
    return [_checked(phrase) for phrase in _without_last_pause(found)]


def _moras(pron: str) -> tuple[tuple[str, ...], tuple[bool, ...]]:
    moras = tuple(split_morae(pron.replace(WHISPERED, "")))
    whispered: list[bool] = []
    rest = pron
    for mora in moras:
        rest = rest[rest.index(mora) + len(mora) :] if mora in rest else rest
        whispered.append(rest.startswith(WHISPERED))
    return moras, tuple(whispered)


def _accent_of(words: Sequence[dict[str, object]], index: int) -> int:
    """Of the phrase that begins with this word; one that goes on after a pause keeps what is left of its accent."""
    accent = words[index]["acc"]
    return accent if isinstance(accent, int) and accent > 0 else 0


def _longer(phrase: AccentPhrase, moras: tuple[str, ...], whispered: tuple[bool, ...], end: int | None) -> AccentPhrase:
    return AccentPhrase(
        phrase.moras + moras, phrase.whispered + whispered, phrase.accent, phrase.start, end, phrase.pause
    )


def _followed(phrase: AccentPhrase) -> AccentPhrase:
    return AccentPhrase(phrase.moras, phrase.whispered, phrase.accent, phrase.start, phrase.end, pause=True)


def _checked(phrase: AccentPhrase) -> AccentPhrase:
    """A fall after the last mora cannot be heard within the phrase: it is flat."""
    if phrase.accent < len(phrase.moras):
        return phrase
    return AccentPhrase(phrase.moras, phrase.whispered, 0, phrase.start, phrase.end, phrase.pause)


def _without_last_pause(phrases: Sequence[AccentPhrase]) -> Iterator[AccentPhrase]:
    """What ends the sentence is no pause within it."""
    for index, phrase in enumerate(phrases):
        if phrase.pause and index == len(phrases) - 1:
            yield AccentPhrase(phrase.moras, phrase.whispered, phrase.accent, phrase.start, phrase.end)
        else:
            yield phrase


def _spelt(kana: str) -> Iterator[AccentPhrase]:
    """Of a sentence that is given in kana with accents: the text itself is no guide to them."""
    analysis = analyze_kana(kana)
    moras = iter([pair for node in analysis.nodes for pair in zip(*_moras(node.pron), strict=True)])
    groups = accent_phrases(analysis.labels)
    for number, group in enumerate(groups):
        for place, falls in enumerate(group):
            pairs = [next(moras, ("", False)) for _ in falls]
            accent = next((index for index, fall in enumerate(falls, start=1) if fall and index < len(falls)), 0)
            yield AccentPhrase(
                tuple(mora for mora, _ in pairs),
                tuple(whispered for _, whispered in pairs),
                accent,
                None,
                None,
                pause=place == len(group) - 1 and number < len(groups) - 1,
            )
