"""Unicode's look-alikes folded into the characters that have readings."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

from koebin.engine.text.alphabets import hangul_kana, is_hangul, latin_letters
from koebin.engine.text.mapped import MappedText
from koebin.engine.text.radicals import RADICALS

_CLUSTER: Final = re.compile(
    r"[\u1100-\u115f][\u1160-\u11a7][\u11a8-\u11ff]?|.[\u3099\u309a\uff9e\uff9f\u0300-\u036f]+"
    r"|[^\x00-\x7f\u3001-\u3003\u3041-\u3096\u30a1-\u30f6\u30fb-\u30fe\u4e00-\u9fef\u300c-\u3011]",
    re.DOTALL,
)
"""What is folded together. The commonest characters, which stand for themselves, are left out where they are alone."""

# NFKC would turn these into something that is read wrongly: 10² into 102, ㈱ into a word in brackets, Ⅲ into letters.
_BEFORE_NFKC: Final = {
    **dict(zip("ⅠⅡⅢⅣⅤⅥⅦⅧⅨⅩⅪⅫ", map(str, range(1, 13)), strict=True)),
    **dict(zip("ⅰⅱⅲⅳⅴⅵⅶⅷⅸⅹⅺⅻ", map(str, range(1, 13)), strict=True)),
    **dict(zip("ㇰㇱㇲㇳㇴㇵㇶㇷㇸㇹㇺㇻㇼㇽㇾㇿ", "クシストヌハヒフヘホムラリルレロ", strict=True)),
    **dict(zip("ヷヸヹヺ", ("ヴァ", "ヴィ", "ヴェ", "ヴォ"), strict=True)),
    "㈱": "株式会社",
    "㈲": "有限会社",
    "㈳": "社団法人",
    "㈶": "財団法人",
    "㈹": "代表",
    "℡": "電話",
    "℉": "°F",
    "™": "",
    "〼": "ます",
    "𠮟": "叱",
    "〻": "々",
    **{mark: mark for mark in "…‥"},
    **RADICALS,
    "゛": "",
    "゜": "",
}
_SUPERSCRIPTS: Final = "⁰¹²³⁴⁵⁶⁷⁸⁹"
_POWER: Final = re.compile(rf"(?<=[0-9A-Za-z)])(?<![kcm]m)(?<![^A-Za-z]m)([{_SUPERSCRIPTS}]+)")

_BROKEN: Final = re.compile(r"[\u200b-\u200d\u2060\ufeff](?:\s?[\u200b-\u200d\u2060\ufeff])+")
"""Zero-width characters around a space: where a page was laid out, not where a word ends."""
_LONG: Final = re.compile(
    r"(?<=[ァ-ヺｦ-ﾝ\uff9e\uff9f])[－−─―‐—–-](?=[ァ-ヺｱ-ﾝ](?:[^ァ-ヺｦ-ﾝー]|$))"
    r"|(?<=(?<![ァ-ヺー])[ァ-ヺ])[－−─―‐—–-](?=[ァ-ヺ])"
    r"|(?<=[ァ-ヺ])[－−](?![－−\d])"
)
"""A minus sign or a dash where the mark of a long vowel was meant: サ－バ－."""
_MIXED: Final = re.compile("[0-9０-９](?=[½⅓⅔¼¾⅕⅖⅗⅘⅙⅚⅛⅜⅝⅞])")
_LISTED: Final = re.compile("([①-⑳㉑-㊿])(?=[①-⑳㉑-㊿0-9０-９])")

_DROPPED_CATEGORIES: Final = frozenset(("Cn", "Co", "Cs", "Cf", "Mn", "Me", "Mc"))


def fold_compatibility(mapped: MappedText) -> MappedText:
    """NFKC, character by character, without what has no sound of its own.

    Dropped: unassigned and private code points, format characters (joiners, variation selectors), stray combining
    marks, letters of scripts that cannot be read (``koebin.engine.text.unreadable`` lists them). Letters of Latin,
    Cyrillic and Hangul are written with A to Z or kana, other figures with 0 to 9.
    """
    if mapped.text.isascii():
        return mapped
    mapped = mapped.sub(_BROKEN, "")
    mapped = mapped.sub(_LONG, "ー")
    mapped = mapped.sub(_MIXED, lambda match: f"{match.group()}と")
    mapped = mapped.sub(_POWER, lambda match: f"の{unicodedata.normalize('NFKC', match.group(1))}乗")
    mapped = mapped.sub(_LISTED, lambda match: match.group() + "、")
    return mapped.sub(_CLUSTER, lambda match: fold_cluster(match.group()))


def fold_cluster(cluster: str) -> str:
    """What one character, with the marks that go with it, is read as; "" for what has no sound."""
    if cluster.isascii():
        return cluster
    folded = _BEFORE_NFKC.get(cluster)
    if folded is None:
        folded = unicodedata.normalize("NFKC", cluster)
    return "".join(map(_readable, folded))


def _readable(char: str) -> str:
    category = unicodedata.category(char)
    if category in _DROPPED_CATEGORIES:
        return ""
    if category == "Nd":
        return str(unicodedata.digit(char))
    if char.isascii() or category[0] not in "LN" or _has_reading(char):
        return char
    if is_hangul(char):
        return hangul_kana(char)
    return latin_letters(char) or _by_numeric_value(char) or _by_name(char)


def _by_numeric_value(char: str) -> str:
    """Figures in circles and of other scripts: ``❶`` is 1."""
    value = unicodedata.numeric(char, -1)
    return str(int(value)) if value >= 0 and value == int(value) else ""


def _by_name(char: str) -> str:
    """The kana of a hentaigana, the letter under a small capital, the Greek letter under its accents."""
    if named := _NAMED.match(unicodedata.name(char, "")):
        return named["latin"] or _hiragana_named(named["kana"])
    base = unicodedata.normalize("NFKD", char)[0]
    return base if base != char and _has_reading(base) else ""


def _hiragana_named(name: str) -> str:
    """``KA`` -> ``か``: the name of a kana in Unicode."""
    try:
        return unicodedata.lookup(f"HIRAGANA LETTER {name}")
    except KeyError:
        return ""


_NAMED: Final = re.compile("LATIN LETTER SMALL CAPITAL (?P<latin>[A-Z])$|HENTAIGANA LETTER (?P<kana>[A-Z]+)-")


_READABLE: Final = re.compile(
    "[\u3005-\u3007\u3031-\u3035\u303b\ufa0e-\ufa29\u3041-\u3096\u309d-\u309f\u30a1-\u30fa\u30fc-\u30ff"
    "\u3400-\u4dbf\u4e00-\u9fff\U00020000-\U0003ffff\u0370-\u03ff]"
)


def _has_reading(char: str) -> bool:
    return bool(_READABLE.match(char))
