"""Characters that Aozora Bunko describes because Shift_JIS lacks them."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

from koebin.producers.formats.markup import UNKNOWN

_JIS: Final = re.compile(r"(?<![0-9-])([12])-([0-9]{1,2})-([0-9]{1,2})(?![0-9-])")
_UNICODE: Final = re.compile(r"U\+([0-9A-Fa-f]{4,6})")
_BRACKETED: Final = re.compile(r"〔([\x20-\x7e\u00a0-\u024f]+)〕")
_LIGATURE: Final = re.compile(r"(AE|OE|ae|oe|s)&")
_ACCENT: Final = re.compile(
    r"([AEIOUYaeiouy])([`':_])|([ACEGHIJOSUWYaceghijosuwy])(\^)|([ANOano])(~)|([Aa])(&)|([Cc])(,)(?=[A-Za-z])|([ODLHodlh])(/)"
)
_LIGATURES: Final = {"AE": "Æ", "OE": "Œ", "ae": "æ", "oe": "œ", "s": "ß"}
_STROKES: Final = {"o": "ø", "O": "Ø", "d": "đ", "D": "Đ", "l": "ł", "L": "Ł", "h": "ħ", "H": "Ħ"}
_COMBINING: Final = {
    "`": "\u0300",
    "'": "\u0301",
    "^": "\u0302",
    "~": "\u0303",
    ":": "\u0308",
    "&": "\u030a",
    ",": "\u0327",
    "_": "\u0304",
}


def character_of(note: str) -> str:
    """The character that a note such as ``「てへん＋劣」、第3水準1-84-77`` names, in JIS X 0213 or in Unicode.

    `UNKNOWN` if it only describes it.
    """
    jis = _JIS.search(unicodedata.normalize("NFKC", note))
    if jis:
        plane, row, cell = (int(number) for number in jis.groups())
        lead = b"\x8f" if plane == 2 else b""
        try:
            return (lead + bytes((0xA0 + row, 0xA0 + cell))).decode("euc_jis_2004")
        except (UnicodeDecodeError, ValueError):
            return UNKNOWN
    point = _UNICODE.search(note)
    if point and (number := int(point[1], 16)) < 0x110000 and unicodedata.category(chr(number))[0] != "C":
        return chr(number)
    return UNKNOWN


def accented(line: str) -> str:
    """``〔Cafe'〕`` as ``Café``; brackets around anything else stay."""
    return _BRACKETED.sub(_accented_words, line)


def _accented_words(match: re.Match[str]) -> str:
    text = _LIGATURE.sub(lambda each: _LIGATURES[each[1]], match[1])
    text = _ACCENT.sub(_accented_letter, text)
    return match[0] if text == match[1] else text


def _accented_letter(match: re.Match[str]) -> str:
    letter, accent = match[0][0], match[0][1]
    return _STROKES[letter] if accent == "/" else unicodedata.normalize("NFC", letter + _COMBINING[accent])
