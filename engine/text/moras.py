"""Katakana to phones, mora by mora."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

VOWELS: Final = frozenset("aiueoN")

# Rows of the kana table: consonant, then the kana before a, i, u, e and o ("-": no such mora).
_TABLE: Final = """
k   カ キ ク ケ コ
ky  キャ - キュ キェ キョ
g   ガ ギ グ ゲ ゴ
gy  ギャ - ギュ ギェ ギョ
s   サ スィ ス セ ソ
sh  シャ シ シュ シェ ショ
z   ザ ズィ ズ ゼ ゾ
z   - - ヅ - -
j   ジャ ジ ジュ ジェ ジョ
j   - ヂ - - -
t   タ ティ トゥ テ ト
ty  テャ - テュ - テョ
ch  チャ チ チュ チェ チョ
ts  ツァ ツィ ツ ツェ ツォ
d   ダ ディ ドゥ デ ド
dy  デャ - デュ - デョ
n   ナ ニ ヌ ネ ノ
ny  ニャ - ニュ ニェ ニョ
h   ハ ヒ - ヘ ホ
hy  ヒャ - ヒュ ヒェ ヒョ
f   ファ フィ フ フェ フォ
b   バ ビ ブ ベ ボ
by  ビャ - ビュ ビェ ビョ
by  ヴャ - ヴュ - ヴョ
p   パ ピ プ ペ ポ
py  ピャ - ピュ ピェ ピョ
m   マ ミ ム メ モ
my  ミャ - ミュ ミェ ミョ
y   ヤ - ユ イェ ヨ
y   ャ - ュ - ョ
r   ラ リ ル レ ロ
ry  リャ - リュ リェ リョ
w   ワ ウィ - ウェ ウォ
w   ヮ - - - -
v   ヴァ ヴィ ヴ ヴェ ヴォ
"""
_VOWEL_KANA: Final = {"a": "アァ", "i": "イヰィ", "u": "ウゥ", "e": "エヱェ", "o": "オヲォ"}


def _phones_of_kana() -> dict[str, tuple[str, ...]]:
    phones: dict[str, tuple[str, ...]] = {"ン": ("N",), "ッ": ("q",), "ヶ": ("k", "e"), "ヵ": ("k", "a")}
    # kw and gw are Open JTalk's, but no voice has a symbol for them.
    phones |= {"クヮ": ("k", "w", "a"), "グヮ": ("g", "w", "a")}
    phones |= {kana: (vowel,) for vowel, row in _VOWEL_KANA.items() for kana in row}
    for line in _TABLE.strip().splitlines():
        consonant, *row = line.split()
        phones |= {kana: (consonant, vowel) for kana, vowel in zip(row, "aiueo", strict=True) if kana != "-"}
    return phones


PHONES: Final = _phones_of_kana()
"""Phones of every mora that has a sign of its own. Origin of the inventory: Open JTalk."""


class Mora(NamedTuple):
    """One mora: ``kana`` as it is spoken (``ー`` for a lengthened vowel; "" for a mark that is none) and its phones."""

    kana: str
    phones: tuple[str, ...]


def _longest_first() -> str:
    """A pattern for one mora. Pairs are gathered by their second sign: one after the other takes ten times as long."""
    seconds = dict.fromkeys(kana[1] for kana in PHONES if len(kana) == 2)
    pairs = [f"[{''.join(kana[0] for kana in PHONES if kana[1:] == second)}]{second}" for second in seconds]
    return "|".join([*pairs, f"[{''.join(kana for kana in PHONES if len(kana) == 1)}ー]"])


_MORA: Final = re.compile(_longest_first())
_MORAS: Final = {kana: Mora(kana, phones) for kana, phones in PHONES.items()}
_HELD: Final = {phone: Mora("ー", (phone,)) for phone in (*VOWELS, "q")}
_NOTHING_HELD: Final = Mora("", ("-",))


def moras_of(reading: str, previous: str = "") -> list[Mora]:
    """Morae of a reading in katakana.

    A long mark repeats the phone before it, within the reading or across words; with none that can be held it becomes
    the mark ``-``. Characters that are no kana have no phones.

    Args:
        reading: katakana.
        previous: the last phone of the word before; "" at the beginning.
    """
    spelt = _MORA.findall(reading)
    if "ー" not in spelt:
        return [_MORAS[kana] for kana in spelt]
    moras: list[Mora] = []
    for kana in spelt:
        mora = _MORAS.get(kana) or _HELD.get(previous, _NOTHING_HELD)
        moras.append(mora)
        previous = mora.phones[-1]
    return moras
