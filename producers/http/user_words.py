"""Words of a key's own: how they are read, wherever they are written in its texts. Kept in the store."""

from __future__ import annotations

import json
import time
import unicodedata
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, RootModel, ValidationError

from koebin.engine.errors import InvalidDictionary, InvalidMessage, StoreNotFound
from koebin.engine.reading import Reading
from koebin.engine.text.dictionary import Entry
from koebin.engine.text.sentences import split_sentences
from koebin.producers.http.api_keys import Key
from koebin.producers.http.door import Door
from koebin.producers.http.errors import NotFound
from koebin.producers.http.speech import Utterance
from koebin.tasks import redis_keys
from koebin.tasks import store_keys as store_keys

MOST_WORDS: Final = 10_000
WordType = Literal["PROPER_NOUN", "COMMON_NOUN", "VERB", "ADJECTIVE", "SUFFIX"]


class Word(BaseModel):
    """One word."""

    model_config = ConfigDict(frozen=True)

    surface: str
    pronunciation: str
    accent: int = Field(ge=0)
    word_type: WordType = "PROPER_NOUN"
    priority: int = Field(default=5, ge=0, le=10)


class _Words(RootModel[dict[str, Word]]):
    """All words of a key by their ids."""


def new_word(surface: str, pronunciation: str, accent: int, word_type: WordType, priority: int) -> Word:
    """A word as it is kept: its surface folded, its reading in katakana.

    Raises:
        InvalidDictionary: what is wrong with it.
    """
    entry = Entry(surface, pronunciation, accent, priority)
    return Word(
        surface=entry.surface, pronunciation=entry.reading, accent=accent, word_type=word_type, priority=priority
    )


def load(door: Door, key: Key) -> dict[str, Word]:
    """The words of a key; blocks."""
    try:
        return _Words.model_validate_json(door.client.store.get(store_keys.user_words(key.name))).root
    except StoreNotFound:
        return {}
    except ValidationError as error:
        raise InvalidMessage("the stored words cannot be read", key.name) from error


def change(door: Door, key: Key, added: Mapping[str, Word | None]) -> None:
    """Add, replace or (None) remove words; blocks. Changes of one key wait for each other.

    Raises:
        NotFound: a word to be removed that is not there.
        InvalidDictionary: too many words.
    """
    lock = door.client.redis.lock(f"{redis_keys.HTTP}words:{key.name}", timeout=30, blocking_timeout=20)
    with lock:
        words = load(door, key)
        for word_id, word in added.items():
            if word is None:
                if words.pop(word_id, None) is None:
                    raise NotFound("no such word", word_id)
            else:
                words[word_id] = word
        if len(words) > MOST_WORDS:
            raise InvalidDictionary(f"more than {MOST_WORDS} words", str(len(words)), "Remove some")
        data = json.dumps({name: word.model_dump() for name, word in words.items()}, ensure_ascii=False)
        door.client.store.put(store_keys.user_words(key.name), data.encode(), if_absent=False)
    _KEPT.pop((id(door), key.name), None)


def new_id() -> str:
    """Of a word."""
    return str(uuid.uuid4())


_KEPT: Final[dict[tuple[int, str], tuple[float, dict[str, Word]]]] = {}
_KEPT_SECONDS: Final = 5.0


async def with_words(door: Door, key: Key, utterance: Utterance) -> Utterance:
    """The utterance with the readings of the key's own words, where it has none of its own."""
    kept = _KEPT.get((id(door), key.name))
    if kept is None or time.monotonic() - kept[0] > _KEPT_SECONDS:
        kept = (time.monotonic(), await door.in_thread(load, door, key))
        _KEPT[(id(door), key.name)] = kept
    if not kept[1]:
        return utterance
    readings = [*utterance.readings, *_found(utterance, kept[1])]
    return replace(utterance, readings=tuple(sorted(readings, key=lambda reading: reading.start)))


def _found(utterance: Utterance, words: Mapping[str, Word]) -> Iterator[Reading]:
    """Each place where a word is written, the higher priority and then the longer word first; none over another."""
    text = unicodedata.normalize("NFKC", utterance.text)
    if len(text) != len(utterance.text):
        text = utterance.text
    taken = [(reading.start, reading.end) for reading in utterance.readings]
    spans = [(sentence.start, sentence.end) for sentence in split_sentences(utterance.text)]
    for word in sorted(words.values(), key=lambda word: (-word.priority, -len(word.surface), word.surface)):
        start = text.find(word.surface)
        while start >= 0:
            end = start + len(word.surface)
            inside = any(first <= start and end <= last for first, last in spans)
            if inside and all(end <= first or last <= start for first, last in taken):
                taken.append((start, end))
                yield Reading(start, end, word.pronunciation, word.accent)
            start = text.find(word.surface, end)


def as_voicevox(word: Word) -> dict[str, Any]:
    """A word with the fields that VOICEVOX's clients know."""
    moras = Entry(word.surface, word.pronunciation, word.accent, word.priority)
    from koebin.engine.text.katakana import split_morae

    return {
        "surface": word.surface,
        "priority": word.priority,
        "context_id": 1348,
        "part_of_speech": "名詞",
        "part_of_speech_detail_1": "固有名詞" if word.word_type == "PROPER_NOUN" else "一般",
        "part_of_speech_detail_2": "一般",
        "part_of_speech_detail_3": "*",
        "inflectional_type": "*",
        "inflectional_form": "*",
        "stem": "*",
        "yomi": word.pronunciation,
        "pronunciation": word.pronunciation,
        "accent_type": word.accent,
        "mora_count": len(split_morae(moras.reading)),
        "accent_associative_rule": "*",
    }
