"""Given readings and accents, put into Open JTalk's words."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import replace

from koebin.engine.errors import InvalidText
from koebin.engine.reading import Reading
from koebin.engine.text.characters import is_speech
from koebin.engine.text.features import Feature
from koebin.engine.text.kana import check_kana, has_phrases, parse_accent
from koebin.engine.text.katakana import is_katakana_reading, sounded, sounded_alike, split_morae, to_katakana
from koebin.engine.text.openjtalk import run_frontend

_KANA_RUN = re.compile("[ァ-ヴー]+")


def check_readings(text: str, readings: Sequence[Reading]) -> list[Reading]:
    """The readings in the order of the text, accent marks taken out of their kana.

    Kana with marks between accent phrases (see ``koebin.engine.text.kana``) is the reading of a whole sentence and
    stays as it is; it is then the only one.

    Raises:
        InvalidText: a span outside of the text or over another one, a reading that is not kana, an accent behind its
            last mora; with the column.
    """
    if any(has_phrases(reading.kana) for reading in readings):
        return [_of_the_whole(text, readings)]
    ordered = sorted((_with_accent(reading) for reading in readings), key=lambda reading: reading.start)
    end = 0
    for reading in ordered:
        kana = sounded(reading.kana)
        what = ""
        if reading.end > len(text):
            what = f"a reading ends at {reading.end}, behind the text's end at {len(text)}"
        elif reading.start < end:
            what = "two readings for the same characters"
        elif not is_katakana_reading(kana) or kana.startswith("ー"):
            what = "a reading is not kana"
        elif repeated_kana(text, reading):
            what = "a reading holds the kana that stand behind its word"
        elif reading.accent is not None and not 0 <= reading.accent <= len(split_morae(kana)):
            what = f"an accent on mora {reading.accent} of {len(split_morae(kana))}"
        if what:
            raise InvalidText(
                what, reading.kana, "Give katakana or hiragana, and an accent in it", 1, reading.start + 1
            )
        end = reading.end
    return ordered


def repeated_kana(text: str, reading: Reading) -> int:
    """Number of kana behind the word, which are spoken anyway, that end its reading too: 2 in 食《たべる》べる; 0 for
    a single one, which may be a particle (母《はは》は).
    """
    if is_katakana_reading(_folded(text[reading.start : reading.end])):
        return 0
    behind = _KANA_RUN.match(_folded(text[reading.end : reading.end + 10]))
    kana = to_katakana(reading.kana)
    longest = len(behind.group()) if behind else 0
    sizes = range(min(longest, len(kana) - 1), 1, -1)
    return next((size for size in sizes if behind and kana.endswith(behind.group()[:size])), 0)


def _of_the_whole(text: str, readings: Sequence[Reading]) -> Reading:
    only, *others = readings
    outside = text[: only.start] + text[only.end :]
    if others or only.accent is not None or only.end > len(text) or any(is_speech(char) for char in outside):
        what = "a reading with marks between accent phrases does not belong to the whole sentence"
        wrong = next((reading for reading in readings if has_phrases(reading.kana)), only)
        hint = "Give the whole sentence one reading, or each phrase its own"
        raise InvalidText(what, wrong.kana, hint, 1, wrong.start + 1)
    check_kana(only.kana)
    return only


def _with_accent(reading: Reading) -> Reading:
    """Take an accent mark out of the kana: サ'ンデン."""
    try:
        kana, accent = parse_accent(unicodedata.normalize("NFKC", reading.kana))
    except InvalidText as error:
        raise InvalidText(error.what, error.value, error.hint, 1, reading.start + 1) from error
    return replace(reading, kana=kana, accent=accent if reading.accent is None else reading.accent)


def apply_reading(
    text: str, reading: Reading, features: Sequence[Feature], boundaries: Sequence[int | None]
) -> tuple[list[Feature], list[int | None]] | None:
    """The words and their boundaries with the reading in place, or None if its span tears a word.

    A span that ends inside a word whose rest is kana (食 of 食べる) is widened to the word.
    """
    if not features:
        return None
    first = max(index for index, start in enumerate(boundaries) if start is not None and start <= reading.start)
    last = min(index for index, start in enumerate(boundaries) if start is not None and start >= reading.end)
    start, end = boundaries[first], boundaries[last]
    if start is None or end is None or first == last:
        return None
    before, after = _folded(text[start : reading.start]), _folded(text[reading.end : end])
    if (before or after) and not is_katakana_reading(before + after):
        return None
    if after and len(reading.kana) > len(after) and to_katakana(reading.kana).endswith(after):
        what = "a reading holds the kana that stand behind its word"
        raise InvalidText(what, reading.kana, "Give the reading of the kanji alone", 1, reading.start + 1)
    word = _merge(text[start:end], features[first:last], before, reading, after)
    return [*features[:first], word, *features[last:]], [*boundaries[: first + 1], *boundaries[last:]]


def _folded(text: str) -> str:
    return to_katakana(unicodedata.normalize("NFKC", text))


def spoken_word(surface: str, reading: Reading) -> Feature:
    """A word of its own with the given reading."""
    kana = sounded(reading.kana)
    feature = _like(run_frontend(kana)[0], surface, kana, _accent(kana, reading))
    return {
        **feature,
        "pos": "名詞",
        "pos_group1": "固有名詞",
        "pos_group2": "一般",
        "pos_group3": "*",
        "chain_flag": 0,
    }


def _merge(surface: str, words: Sequence[Feature], before: str, reading: Reading, after: str) -> Feature:
    """One word for the span, said as given: ハ for は, イチホン for 1本. Only long vowels may be spelt: トウキョウ is
    said トーキョー.
    """
    spelt = before + to_katakana(reading.kana) + after
    known = "".join(word["pron"].replace("’", "") for word in words)
    kana = known if sounded_alike(spelt, known) else before + sounded(reading.kana) + after
    accent = _kept_accent(words, kana)
    if reading.accent is not None:
        accent = reading.accent + len(split_morae(before)) if reading.accent else 0
    elif accent is None:
        accent = _accent(kana, reading)
    merged = _like(words[0], surface, kana, accent)
    if reading.accent is not None:
        merged["chain_flag"] = min(words[0]["chain_flag"], 0)
    return merged


def _kept_accent(words: Sequence[Feature], kana: str) -> int | None:
    """The dictionary's accent where the new reading has as many morae; a phrase's is kept in its first word."""
    if len(words) > 1 and any(word["chain_flag"] != 1 for word in words[1:]):
        return None
    if sum(word["mora_size"] for word in words) != len(split_morae(kana)):
        return None
    accent: int = words[0]["acc"]
    return accent


def _accent(kana: str, reading: Reading) -> int:
    if reading.accent is not None:
        return reading.accent
    accent: int = run_frontend(kana)[0]["acc"]
    return accent


def _like(word: Feature, surface: str, kana: str, accent: int) -> Feature:
    return {
        **word,
        "string": surface,
        "orig": surface,
        "read": kana,
        "pron": kana,
        "acc": accent,
        "mora_size": len(split_morae(kana)),
        "is_reading_protected": True,
    }
