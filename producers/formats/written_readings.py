"""Readings as people write them beside a word: kana, with the accent if they know it."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from koebin.engine import limits
from koebin.engine.errors import InvalidText
from koebin.engine.text.kana import check_kana, has_phrases
from koebin.engine.text.katakana import is_katakana_reading, split_morae, to_katakana

MAX_WORD: Final = 100
"""Characters that a word with a reading may have; the front end takes about 200 at once."""

_SILENT: Final = re.compile(r"[\s・･]")
_ACCENT_NUMBER: Final = re.compile(r"(.*)[:：]([0-9]{1,3})")
_FALL: Final = re.compile("['’]")


@dataclass(frozen=True, slots=True)
class WrittenReading:
    """A reading: kana as it was written, and the mora after which the pitch falls (0 flat, None unknown)."""

    kana: str
    accent: int | None = None


@lru_cache(maxsize=10_000)
def parse_reading(written: str) -> WrittenReading | None:
    """``はし``, ``ハシ'``, ``は'し`` or ``はし:0``; None if it is not kana or the accent does not fit.

    ``'`` follows the mora after which the pitch falls; ``:n`` counts the morae before the fall, 0 is flat.
    """
    if len(written) > limits.READING_CHARS:
        return None
    text = unicodedata.normalize("NFKC", written)
    accent: int | None = None
    number = _ACCENT_NUMBER.fullmatch(text)
    if number:
        text, accent = number[1], int(number[2])
    before, fall, after = _split_fall(text)
    if fall and (number or not before):
        return None
    kana = _kana(before + after)
    if kana is None:
        return None
    if fall:
        accent = len(split_morae(to_katakana(_SILENT.sub("", before))))
    if accent is not None and accent > len(split_morae(to_katakana(kana))):
        return None
    return WrittenReading(kana, accent)


def parse_phrases(written: str) -> WrittenReading | None:
    """A whole sentence as ``koebin check`` prints it: ``キョ'ーワ/イイ/テ'ンキデス。``; None if it is none."""
    try:
        check_kana(written)
    except InvalidText:
        return None
    return WrittenReading(written) if has_phrases(written) else None


def _split_fall(text: str) -> tuple[str, bool, str]:
    parts = _FALL.split(text)
    if len(parts) == 1:
        return text, False, ""
    # More than one mark: what is left of the second one is no kana, and the reading is refused.
    return parts[0], True, "'".join(parts[1:])


def _kana(text: str) -> str | None:
    """Kana without separators, iteration marks written out; None if anything else is in it."""
    kana = _SILENT.sub("", text).replace("ゝ", "ヽ").replace("ゞ", "ヾ").replace("ゟ", "より").replace("ヿ", "コト")
    if "ヽ" in kana or "ヾ" in kana:
        kana = _without_marks(kana)
    katakana = to_katakana(kana)
    if not is_katakana_reading(katakana) or not split_morae(katakana) or katakana[0] == "ー":
        return None
    return kana


def _without_marks(kana: str) -> str:
    """Iteration marks written out, each as the kana before it."""
    out: list[str] = []
    for character in kana:
        if character in "ヽヾ" and out:
            voiced = unicodedata.normalize("NFC", out[-1] + "\u3099") if character == "ヾ" else out[-1]
            out.append(voiced if len(voiced) == 1 else out[-1])
        else:
            out.append(character)
    return "".join(out)
