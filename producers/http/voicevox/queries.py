"""Queries of texts and texts of queries: what a client has edited becomes readings of the text.

The text of a query is remembered for a while under its moras, so that a query whose accents were edited is spoken from
the text, as a network reads it, with other accents. A query of which nothing is remembered, or whose moras were edited,
is spoken from its kana.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pydantic import BaseModel

from koebin.engine.errors import InvalidText
from koebin.engine.reading import Reading
from koebin.producers.http.api_keys import Key
from koebin.producers.http.door import Door
from koebin.producers.http.voicevox.models import AccentPhrase, Mora, Phrases
from koebin.tasks import redis_keys
from koebin.tasks.contracts import RenderedSentence, SpokenMora, SpokenPhrase

_REMEMBERED_SECONDS: Final = 24 * 3600
_ENDS: Final = "。？"


class _Part(BaseModel):
    """A phrase as it was told: where it stands in the text, and how it was accented."""

    start: int | None
    end: int | None
    accent: int
    sentence: int


class _Memory(BaseModel):
    """The text behind a query."""

    text: str
    parts: list[_Part]
    asked: bool = False
    """The text's own questions are questions in the query."""


@dataclass(frozen=True, slots=True)
class SpokenQuery:
    """What a query asks to be said.

    Attributes:
        from_kana: it is said from kana; nothing of the text is known.
    """

    text: str
    readings: tuple[Reading, ...] = ()
    from_kana: bool = False


def phrases_of(sentences: Sequence[RenderedSentence]) -> Phrases:
    """The phrases of a text, with the pauses between its sentences."""
    found: Phrases = []
    for number, sentence in enumerate(sentences):
        own = [_phrase(phrase) for phrase in sentence.phrases]
        if own and sentence.text.rstrip("」』）)\"'").endswith(("？", "?")):
            own[-1].is_interrogative = True
        if own and number < len(sentences) - 1:
            own[-1].pause_mora = _pause(sentence.pause)
        found += own
    return found


def _phrase(phrase: SpokenPhrase) -> AccentPhrase:
    return AccentPhrase(
        moras=[_mora(mora) for mora in phrase.moras],
        accent=phrase.accent or len(phrase.moras),
        pause_mora=None if phrase.pause_seconds is None else _pause(phrase.pause_seconds),
    )


def _mora(mora: SpokenMora) -> Mora:
    return Mora(
        text=mora.kana,
        consonant=mora.consonant or None,
        consonant_length=mora.consonant_seconds if mora.consonant else None,
        vowel=mora.vowel,
        vowel_length=mora.vowel_seconds,
    )


def _pause(seconds: float) -> Mora:
    return Mora(text="、", vowel="pau", vowel_length=seconds)


def kana_of(phrases: Phrases) -> str:
    """The phrases in kana with accents, as ``koebin.engine.text.kana`` reads them."""
    text = ""
    for number, phrase in enumerate(phrases):
        last = number == len(phrases) - 1
        for place, mora in enumerate(phrase.moras, start=1):
            text += mora.text + ("'" if place == phrase.accent and place < len(phrase.moras) else "")
        text += "？" if phrase.is_interrogative and last else "" if last else "、" if phrase.pause_mora else "/"
    return text


def sentences_of(phrases: Phrases) -> Iterator[Phrases]:
    """Kana cannot hold two sentences: a question ends one."""
    own: Phrases = []
    for phrase in phrases:
        own.append(phrase)
        if phrase.is_interrogative:
            yield own
            own = []
    if own:
        yield own


async def remember(door: Door, key: Key, text: str, sentences: Sequence[RenderedSentence], phrases: Phrases) -> None:
    """Note from which text a query was made."""
    parts = [
        _Part(start=_moved(phrase.start, sentence), end=_moved(phrase.end, sentence), accent=phrase.accent, sentence=at)
        for at, sentence in enumerate(sentences)
        for phrase in sentence.phrases
    ]
    data = _Memory(text=text, parts=parts).model_dump_json()
    name = _name(key, phrases)
    await door.in_thread(door.client.redis.set, name, data, ex=_REMEMBERED_SECONDS)


def _moved(place: int | None, sentence: RenderedSentence) -> int | None:
    return None if place is None else place + sentence.start


def _name(key: Key, phrases: Phrases) -> str:
    """Under which a text is remembered: the key, and the moras in their phrases' order."""
    moras = [mora.text for phrase in phrases for mora in phrase.moras]
    asked = [sum(len(each.moras) for each in phrases[: at + 1]) for at, p in enumerate(phrases) if p.is_interrogative]
    document = json.dumps([key.name, moras, asked], ensure_ascii=False)
    return f"{redis_keys.HTTP}said:{hashlib.sha256(document.encode()).hexdigest()}"


async def spoken_of(door: Door, key: Key, phrases: Phrases) -> SpokenQuery:
    """What the phrases say: the text they were made from, with the accents they have now.

    Raises:
        InvalidText: nothing to speak.
    """
    if not phrases:
        raise InvalidText("the query has nothing to speak", hint="Give it accent phrases")
    found: Any = await door.in_thread(door.client.redis.getex, _name(key, phrases), ex=_REMEMBERED_SECONDS)
    if found:
        memory = _Memory.model_validate_json(found)
        readings = _readings(memory, phrases)
        if readings is not None:
            return SpokenQuery(memory.text, readings)
    return _from_kana(phrases)


def _readings(memory: _Memory, phrases: Phrases) -> tuple[Reading, ...] | None:
    """Readings for what was edited; None where the text does not tell which characters those are."""
    if len(phrases) != len(memory.parts):
        return None
    edited = {
        part.sentence for part, phrase in zip(memory.parts, phrases, strict=True) if _accent(phrase) != part.accent
    }
    readings = []
    for part, phrase in zip(memory.parts, phrases, strict=True):
        if part.sentence not in edited:
            continue
        if part.start is None or part.end is None:
            return None
        kana = "".join(mora.text for mora in phrase.moras)
        readings.append(Reading(part.start, part.end, kana, _accent(phrase)))
    return tuple(readings)


def _accent(phrase: AccentPhrase) -> int:
    """A fall after the last mora cannot be heard: the phrase is flat."""
    return phrase.accent if phrase.accent < len(phrase.moras) else 0


def _from_kana(phrases: Phrases) -> SpokenQuery:
    text, readings = "", []
    for own in sentences_of(phrases):
        kana = kana_of(own)
        plain = "".join(mora.text for phrase in own for mora in phrase.moras)
        end = "？" if own[-1].is_interrogative else "。"
        marked = kana if any(mark in kana for mark in "、/？") else kana + "。"
        readings.append(Reading(len(text), len(text) + len(plain), marked))
        text += plain + end
    return SpokenQuery(text, tuple(readings), from_kana=True)
