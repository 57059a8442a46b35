"""Letters of other scripts, written so that they can be read in Japanese."""

from __future__ import annotations

import unicodedata
from typing import Final

_TABLE: Final = """
а=a б=b в=v г=g д=d е=e ё=yo ж=zh з=z и=i й=y к=k л=l м=m н=n о=o п=p р=r с=s т=t у=u ф=f х=kh ц=ts ч=ch ш=sh щ=shch
ъ= ы=y ь= э=e ю=yu я=ya і=i ї=yi є=ye ґ=g ў=w ј=y љ=ly њ=ny ћ=ch ђ=dj џ=dzh ѕ=z ќ=ky ѓ=gy
"""
_CYRILLIC: Final = dict(pair.split("=") for pair in _TABLE.split())
_LATIN: Final = {
    **dict(zip("ßøæœłđðþıŋəħ", ("ss", "o", "ae", "oe", "l", "d", "d", "th", "i", "ng", "a", "h"), strict=True)),
    "ẞ": "SS",
}

# In the order of Unicode's arithmetic for syllables.
_INITIALS: Final = "カ,ッカ,ナ,タ,ッタ,ラ,マ,パ,ッパ,サ,ッサ,ア,チャ,ッチャ,チャ,カ,タ,パ,ハ"
_VOWELS: Final = "a,e,ya,e,o,e,yo,e,o,wa,we,we,yo,u,wo,we,wi,yu,u,wi,i"
_FINALS: Final = ",ク,ク,ク,ン,ン,ン,ッ,ル,ク,ム,ル,ル,ル,プ,ル,ム,プ,プ,ッ,ッ,ン,ッ,ッ,ク,ッ,プ,ッ"
_HANGUL_ROWS: Final = {
    # a, i, u, e, o, ya, yu, yo of each row
    "カ": "カ キ ク ケ コ キャ キュ キョ",
    "ナ": "ナ ニ ヌ ネ ノ ニャ ニュ ニョ",
    "タ": "タ ティ トゥ テ ト テャ テュ テョ",
    "ラ": "ラ リ ル レ ロ リャ リュ リョ",
    "マ": "マ ミ ム メ モ ミャ ミュ ミョ",
    "パ": "パ ピ プ ペ ポ ピャ ピュ ピョ",
    "サ": "サ シ ス セ ソ シャ シュ ショ",
    "ア": "ア イ ウ エ オ ヤ ユ ヨ",
    "チャ": "チャ チ チュ チェ チョ チャ チュ チョ",
    "ハ": "ハ ヒ フ ヘ ホ ヒャ ヒュ ヒョ",
}
_GLIDES: Final = {"wa": "ワ", "we": "ウェ", "wo": "ウォ", "wi": "ウィ"}
_COLUMNS: Final = ("a", "i", "u", "e", "o", "ya", "yu", "yo")


def is_hangul(char: str) -> bool:
    """Whether the character is a Hangul syllable."""
    return "\uac00" <= char <= "\ud7a3"


def latin_letters(char: str) -> str | None:
    """The letters A to Z for a Latin letter with marks, or a Cyrillic one; None for any other script."""
    lower = char.lower()
    plain = _LATIN.get(lower) or _CYRILLIC.get(lower)
    if plain is None and lower in _CYRILLIC:
        return ""
    if plain is None:
        base = "".join(part for part in unicodedata.normalize("NFKD", char) if not unicodedata.combining(part))
        if base.isascii() and base.isalpha():
            return base
        return _CYRILLIC.get(base.lower())
    return plain if char == lower else plain.capitalize()


def is_silent_letter(char: str) -> bool:
    """Whether the letter is part of a word that can be read and has no sound itself (ъ, ь)."""
    return latin_letters(char) == ""


def hangul_kana(syllable: str) -> str:
    """The kana nearest to a Hangul syllable (Unicode 3.12: index = (initial * 21 + vowel) * 28 + final)."""
    index = ord(syllable) - 0xAC00
    consonant = _INITIALS.split(",")[index // 588]
    vowel = _VOWELS.split(",")[index % 588 // 28]
    final = _FINALS.split(",")[index % 28]
    tense, row = ("ッ", consonant[1:]) if consonant.startswith("ッ") else ("", consonant)
    columns = _HANGUL_ROWS[row].split(" ")
    if vowel not in _GLIDES:
        return tense + columns[_COLUMNS.index(vowel)] + final
    glide = _GLIDES[vowel]
    return tense + (glide if row == "ア" else columns[2] + glide) + final
