"""Full-context labels of HTS: phones, moras and words of an utterance."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Final

from koebin.engine.text.analysis import Node

PAUSES: Final = frozenset(("sil", "pau"))
_MORA_ENDS: Final = frozenset(("a", "i", "u", "e", "o", "N", "cl"))
_PHONE: Final = re.compile(r"-([^+]*)\+")
_GLIDES: Final = frozenset("ャュョヮ")
_KANA: Final = re.compile(r"[ァ-ヴー]")

_ROWS: Final = """
-  ア イ ウ エ オ
k  カ キ ク ケ コ
ky キャ - キュ キェ キョ
kw クヮ クィ - クェ クォ
g  ガ ギ グ ゲ ゴ
gy ギャ - ギュ ギェ ギョ
gw グヮ - - - -
s  サ スィ ス セ ソ
sh シャ シ シュ シェ ショ
z  ザ ズィ ズ ゼ ゾ
j  ジャ ジ ジュ ジェ ジョ
t  タ ティ トゥ テ ト
ty テャ - テュ - テョ
ch チャ チ チュ チェ チョ
ts ツァ ツィ ツ ツェ ツォ
d  ダ ディ ドゥ デ ド
dy デャ - デュ デェ デョ
n  ナ ニ ヌ ネ ノ
ny ニャ - ニュ ニェ ニョ
h  ハ ヒ - ヘ ホ
hy ヒャ - ヒュ ヒェ ヒョ
f  ファ フィ フ フェ フォ
b  バ ビ ブ ベ ボ
by ビャ - ビュ ビェ ビョ
p  パ ピ プ ペ ポ
py ピャ - ピュ ピェ ピョ
m  マ ミ ム メ モ
my ミャ - ミュ ミェ ミョ
y  ヤ - ユ イェ ヨ
r  ラ リ ル レ ロ
ry リャ - リュ リェ リョ
w  ワ ウィ - ウェ ウォ
v  ヴァ ヴィ ヴ ヴェ ヴォ
"""
_KANA_OF: Final = {
    (row.split()[0].strip("-") + vowel): kana
    for row in _ROWS.split("\n")
    if row
    for vowel, kana in zip("aiueo", row.split()[1:], strict=True)
    if kana != "-"
} | {"N": "ン", "cl": "ッ"}
_PHONES_OF: Final = {kana: phones for phones, kana in _KANA_OF.items()}
_SAME_SOUND: Final = {"ヂ": "ジ", "ヅ": "ズ", "ヲ": "オ", "ヂャ": "ジャ", "ヂュ": "ジュ", "ヂョ": "ジョ"}


@dataclass(frozen=True, slots=True)
class Span:
    """Span from phone ``start`` to phone ``end``, excluded."""

    text: str
    start: int
    end: int


def phone_of(label: str) -> str:
    """Phone of a full-context label; devoiced vowels are capitals."""
    match = _PHONE.search(label)
    return match.group(1) if match else ""


def moras_of(phones: Sequence[str]) -> list[Span]:
    """Group phones into moras, named in katakana as they sound; every mora ends with a vowel, ``N`` or ``cl``."""
    moras: list[Span] = []
    start = 0
    for index, phone in enumerate(phones):
        if phone in PAUSES:
            start = index + 1
        elif phone in _MORA_ENDS or phone.lower() in _MORA_ENDS:
            moras.append(Span(_sound(phones[start : index + 1]), start, index + 1))
            start = index + 1
    return moras


def spell_moras(moras: Sequence[Span], nodes: Sequence[Node]) -> list[Span]:
    """The moras, spelled as the dictionary spells them (``ー`` where it has one) as far as the two agree."""
    spelled = [kana for node in nodes for kana in _split(node.pron)]
    owner = _match([_normal(mora.text) for mora in moras], _sounds(spelled))
    return [
        Span(mora.text if place is None else spelled[place], mora.start, mora.end)
        for mora, place in zip(moras, owner, strict=True)
    ]


def words_of(moras: Sequence[Span], nodes: Sequence[Node]) -> list[Span]:
    """Words that have a sound, by their surfaces; each lasts from its first mora to its last one."""
    owners = [index for index, node in enumerate(nodes) for _ in _split(node.pron)]
    spelled = [kana for node in nodes for kana in _split(node.pron)]
    places = _match([_normal(mora.text) for mora in moras], _sounds(spelled))
    words: dict[int, Span] = {}
    last = 0
    for mora, place in zip(moras, places, strict=True):
        last = last if place is None else owners[place]
        if owners:
            first = words[last].start if last in words else mora.start
            words[last] = Span(nodes[last].surface, first, mora.end)
    return [words[index] for index in sorted(words)]


def pause_label(before: str, after: str) -> str:
    """Label of a pause between two utterances, from the last label of the first and the first of the second.

    As Open JTalk would write it had both been one utterance: left context from one, right context from the other, the
    totals of the utterance added.
    """
    left, right = _fields(before), _fields(after)
    totals = [
        int(a) + int(b) for a, b in zip(re.findall(r"\d+", left["K"]), re.findall(r"\d+", right["K"]), strict=True)
    ]
    phones = f"{left['p'].split('-')[0]}-pau+{right['p'].split('+')[1]}"
    parts = [
        phones,
        *(f"{name}:{(right if name in 'DGJ' else left)[name]}" for name in "ABCDEFGHIJ"),
        f"K:{totals[0]}+{totals[1]}-{totals[2]}",
    ]
    return "/".join(parts)


def _fields(label: str) -> dict[str, str]:
    phones, *fields = re.split(r"/(?=[A-K]:)", label)
    return {"p": phones} | dict(field.split(":", 1) for field in fields)


def _sound(phones: Sequence[str]) -> str:
    phone = "".join(phones)
    return _KANA_OF.get(phone) or _KANA_OF.get(phone[:-1] + phone[-1].lower()) or phone


def _split(pron: str) -> Iterator[str]:
    """Moras of a reading; accent and devoicing marks are left out."""
    mora = ""
    for char in pron:
        if not _KANA.fullmatch(char):
            continue
        if mora and (char in _GLIDES or mora + char in _PHONES_OF):
            mora += char
            continue
        if mora:
            yield mora
        mora = char
    if mora:
        yield mora


def _sounds(spelled: Sequence[str]) -> list[str]:
    """Moras with long marks replaced by the vowel they prolong."""
    sounds: list[str] = []
    for kana in spelled:
        sounds.append(_normal(_vowel(sounds[-1]) if kana == "ー" and sounds else kana))
    return sounds


def _vowel(kana: str) -> str:
    return _KANA_OF.get(_PHONES_OF.get(kana, "a")[-1:], kana)


def _normal(kana: str) -> str:
    return _SAME_SOUND.get(kana, kana)


def _match(spoken: list[str], spelled: list[str]) -> list[int | None]:
    """For every spoken mora the index of the spelled one, None if there is none."""
    if len(spoken) == len(spelled):
        return list(range(len(spoken)))
    places: list[int | None] = [None] * len(spoken)
    for block in SequenceMatcher(None, spoken, spelled, autojunk=False).get_matching_blocks():
        for offset in range(block.size):
            places[block.a + offset] = block.b + offset
    return places
