"""Characters that Aozora Bunko describes because Shift_JIS lacks them."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

from koebin.producers.formats.ruby import UNKNOWN

_JIS: Final = re.compile(r"(?<![0-9-])([12])-([0-9]{1,2})-([0-9]{1,2})(?![0-9-])")
_UNICODE: Final = re.compile(r"U\+([0-9A-Fa-f]{4,6})")
_READ: Final = re.compile(r"(?:読みは|ルビは|読み)「([ぁ-ゖァ-ヺー]{1,20})」|「([ぁ-ゖァ-ヺー]{1,20})」と読む")
_KANA: Final = re.compile(
    r"(半?濁点付き)?(?:小書き|変体|濁点付き|半濁点付き|の)*(?:平仮名|片仮名|仮名)の?「?([ぁ-ゖァ-ヺ])」?"
)
_ROMAN: Final = re.compile(r"(?:ローマ|羅馬)数字(?:の|大文字|小文字)*([0-9]{1,4})")
_CIRCLED: Final = re.compile(r"(?:丸|まる|四角|括弧)(?:付き|つき|入り|囲み)*(?:の|数字)*([0-9]{1,3})")
_OTHER_FORM: Final = re.compile(
    r"「([\u3400-\u9fff])」の(?:正字|旧字|本字|俗字|略字|異体字?|別体字?|古字|誤字|くずし字|草書体?|簡体字?|旧字体|新字体)"
)
"""A form of a character that is read like the one everybody has."""
_SIGNS: Final = re.compile(r"(感嘆符|疑問符)(?:([二三四五六七八九十2-9])(?:つ|個)?)?")
_COUNTS: Final = {name: count for count, name in enumerate("二三四五六七八九十", start=2)}
_WORDS: Final = {
    "合字より": "より",
    "合字コト": "コト",
    "合字こと": "こと",
    "合字トモ": "トモ",
    "くの字点": "",
    "歌記号": "",
}
_BRACKETED: Final = re.compile(r"〔((?:[\x20-\x7e\u00a0-\u024f｜|]|《[^《》〔〕\n]{0,200}》)+)〕")
_RUBY: Final = re.compile(r"(《[^《》]*》)")
_LIGATURE: Final = re.compile(r"(AE|OE|ae|oe|s)&|([!?])@")
_ACCENT: Final = re.compile(
    r"((?<![Qq])[Uu]|[AEIOYaeioy])([`':_])|([ACEGHIJOSUWYaceghijosuwy])(\^)|([ANOano])(~)|([Aa])(&)|([Cc])(,)(?=[A-Za-z])|([ODLHodlh])(/)"
)
_LIGATURES: Final = {"AE": "Æ", "OE": "Œ", "ae": "æ", "oe": "œ", "s": "ß", "!": "¡", "?": "¿"}
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
    """The text that a note such as ``「てへん＋劣」、第3水準1-84-77`` stands for.

    By its place in JIS X 0213, its code point, the reading it gives, or the kana, figure or sign that it spells out.
    `UNKNOWN` if it only describes it.
    """
    folded = unicodedata.normalize("NFKC", note)
    jis = _JIS.search(folded)
    if jis and (character := _by_place(*(int(number) for number in jis.groups()))):
        return character
    point = _UNICODE.search(note)
    if point and (number := int(point[1], 16)) < 0x110000 and unicodedata.category(chr(number))[0] != "C":
        return chr(number)
    return _spelt_out(note, folded) or UNKNOWN


def _by_place(plane: int, row: int, cell: int) -> str:
    lead = b"\x8f" if plane == 2 else b""
    try:
        return (lead + bytes((0xA0 + row, 0xA0 + cell))).decode("euc_jis_2004")
    except (UnicodeDecodeError, ValueError):
        return ""


def _spelt_out(note: str, folded: str) -> str:
    if read := _READ.search(note):
        return read[1] or read[2]
    if form := _OTHER_FORM.match(note):
        return form[1]
    if kana := _KANA.match(note):
        mark = {"濁点付き": "\u3099", "半濁点付き": "\u309a"}.get(kana[1] or "", "")
        composed = unicodedata.normalize("NFC", kana[2] + mark)
        return composed if len(composed) == 1 else kana[2]
    if number := _ROMAN.match(folded) or _CIRCLED.match(folded):
        return number[1]
    if word := next((text for name, text in _WORDS.items() if note.startswith(name) and text), ""):
        return word
    described = note.split("、")[0]
    if _SIGNS.fullmatch(described) or (described and not _SIGNS.sub("", described)):
        return "".join(_sign(match) for match in _SIGNS.finditer(described))
    return ""


def _sign(match: re.Match[str]) -> str:
    count = int(match[2]) if match[2] and match[2].isdigit() else _COUNTS.get(match[2] or "", 1)
    return ("！" if match[1] == "感嘆符" else "？") * count


def accented(line: str) -> str:
    """``〔Cafe'〕`` as ``Café``, also with ruby between; brackets around anything else stay."""
    return _BRACKETED.sub(_accented_words, line)


def _accented_words(match: re.Match[str]) -> str:
    parts = _RUBY.split(match[1])
    written = [part if index % 2 else _accented_part(part) for index, part in enumerate(parts)]
    text = "".join(written)
    return match[0] if text == match[1] else text


def _accented_part(part: str) -> str:
    return _ACCENT.sub(_accented_letter, _LIGATURE.sub(lambda each: _LIGATURES[each[0][:-1]], part))


def _accented_letter(match: re.Match[str]) -> str:
    letter, accent = match[0][0], match[0][1]
    return _STROKES[letter] if accent == "/" else unicodedata.normalize("NFC", letter + _COMBINING[accent])
