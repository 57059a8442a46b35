"""Katakana as Japanese counts it: in morae."""

from __future__ import annotations

import re
from typing import Final

from koebin.engine.text.moras import PHONES

_HIRAGANA_TO_KATAKANA: Final = {code: code + 0x60 for code in [*range(0x3041, 0x3097), 0x309D, 0x309E]}
# Open JTalk counts these as one mora too, though the voices were trained with two.
MORE_DIGRAPHS: Final = (
    "クァ",
    "クィ",
    "クゥ",
    "クェ",
    "クォ",
    "グァ",
    "グィ",
    "グゥ",
    "グェ",
    "グォ",
    "シィ",
    "ヂャ",
    "ヂュ",
    "ヂョ",
    "デェ",
    "フュ",
)
_DIGRAPHS: Final = (*(kana for kana in PHONES if len(kana) == 2), *MORE_DIGRAPHS)
_MORA: Final = re.compile("|".join(_DIGRAPHS) + "|[ァ-ヴヵヶー]")
_READING: Final = re.compile("[ァ-ヴー]+")

# Columns of the kana table, for long vowels written as they are spelt (とう, せい).
_O_ROW: Final = "オコゴソゾトドノホボポモヨロヲォョ"
_E_ROW: Final = "エケゲセゼテデネヘベペメレェ"


HELD: Final = re.compile(
    "|".join(
        f"[{kana}ー～〜]{{25,}}"
        for kana in ("ぁあァア", "ぃいィイ", "ぅうゥウ", "ぇえェエ", "ぉおォオ", "んン", "っッ")
    )
)
_LONGEST: Final = 24


def shorten(kana: str) -> str:
    """Kana with no vowel held for more than 24 morae: the built-in voices cannot hold one for 35."""
    return HELD.sub(lambda match: match.group()[:_LONGEST], kana)


def to_katakana(text: str) -> str:
    """Hiragana as katakana; everything else unchanged."""
    return text.translate(_HIRAGANA_TO_KATAKANA)


def is_katakana_reading(text: str) -> bool:
    """One or more katakana and long marks, and nothing else."""
    return bool(_READING.fullmatch(text))


def split_morae(kana: str) -> list[str]:
    """``キョート`` -> ``キョ ー ト``, as Open JTalk counts; characters that are no kana are left out."""
    return _MORA.findall(kana)


def sounded(kana: str) -> str:
    """A reading in katakana as it is said: katakana stands as it is, hiragana is spelling (せんせい: センセー)."""
    kana = shorten(kana)
    katakana = to_katakana(kana)
    if katakana == kana:
        return kana
    katakana = re.sub(f"(?<=[{_O_ROW}])ウ", "ー", katakana)
    return re.sub(f"(?<=[{_E_ROW}])イ", "ー", katakana)


_ALIKE: Final = (
    (re.compile(f"(?<=[{_O_ROW}])[ウオ]"), "ー"),
    (re.compile(f"(?<=[{_E_ROW}])[イエ]"), "ー"),
    (re.compile("(?<=[ウクスツヌフムユルグズブプュゥヅ])ウ"), "ー"),
)
_SAME: Final = str.maketrans("ヅヂヲヰヱ", "ズジオイエ", "’")


def _folded(kana: str) -> str:
    """One spelling for readings that sound alike."""
    kana = kana.translate(_SAME)
    for pattern, replacement in _ALIKE:
        kana = pattern.sub(replacement, kana)
    return kana


def sounded_alike(one: str, other: str) -> bool:
    """Whether two readings in katakana differ in nothing but the spelling of long vowels and of ヅ, ヂ, ヲ."""
    return one == other or _folded(one) == _folded(other)


def spelt_as_said(katakana: str) -> str:
    """A reading as dictionaries spell it, in the katakana that it is said with: トウキョウ is トーキョー."""
    said = katakana.translate(_SAME)
    said = re.sub(f"(?<=[{_O_ROW}])ウ", "ー", said)
    said = re.sub("(?<=[ュユルウクスツヌフムグズブプ])ウ", "ー", said)
    return re.sub(f"(?<=[{_E_ROW}])イ", "ー", said)
