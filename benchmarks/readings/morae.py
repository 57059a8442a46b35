"""One mora alphabet for references and systems: kana or Open JTalk's phones as mora tokens, normalised.

The same for every system and reference: NFKC, hiragana is katakana; punctuation, spaces and devoicing marks dropped;
ヲ=オ, ヅ=ズ, ヂ=ジ, ヰ=イ, ヱ=エ, ヮ=ァ; the row of ヴ is that of バ; クヮ=クァ; the particles は and へ are
ワ and エ; イウ is ユー; a vowel that prolongs the one before it (aa ii uu ee ei oo ou) is ー.
"""

from __future__ import annotations

import re
import unicodedata

_ROWS = {
    "ア": "a",
    "イ": "i",
    "ウ": "u",
    "エ": "e",
    "オ": "o",
    "カ": "ka",
    "キ": "ki",
    "ク": "ku",
    "ケ": "ke",
    "コ": "ko",
    "ガ": "ga",
    "ギ": "gi",
    "グ": "gu",
    "ゲ": "ge",
    "ゴ": "go",
    "サ": "sa",
    "シ": "shi",
    "ス": "su",
    "セ": "se",
    "ソ": "so",
    "ザ": "za",
    "ジ": "ji",
    "ズ": "zu",
    "ゼ": "ze",
    "ゾ": "zo",
    "タ": "ta",
    "チ": "chi",
    "ツ": "tsu",
    "テ": "te",
    "ト": "to",
    "ダ": "da",
    "ヂ": "ji",
    "ヅ": "zu",
    "デ": "de",
    "ド": "do",
    "ナ": "na",
    "ニ": "ni",
    "ヌ": "nu",
    "ネ": "ne",
    "ノ": "no",
    "ハ": "ha",
    "ヒ": "hi",
    "フ": "fu",
    "ヘ": "he",
    "ホ": "ho",
    "バ": "ba",
    "ビ": "bi",
    "ブ": "bu",
    "ベ": "be",
    "ボ": "bo",
    "パ": "pa",
    "ピ": "pi",
    "プ": "pu",
    "ペ": "pe",
    "ポ": "po",
    "マ": "ma",
    "ミ": "mi",
    "ム": "mu",
    "メ": "me",
    "モ": "mo",
    "ヤ": "ya",
    "ユ": "yu",
    "ヨ": "yo",
    "ラ": "ra",
    "リ": "ri",
    "ル": "ru",
    "レ": "re",
    "ロ": "ro",
    "ワ": "wa",
    "ヰ": "i",
    "ヱ": "e",
    "ヲ": "o",
    "ン": "N",
    "ッ": "cl",
    "ヴ": "bu",
    "ァ": "a",
    "ィ": "i",
    "ゥ": "u",
    "ェ": "e",
    "ォ": "o",
    "ャ": "ya",
    "ュ": "yu",
    "ョ": "yo",
    "ヮ": "a",
    "ヵ": "ka",
    "ヶ": "ke",
    "ー": "-",
}
_SMALL = {"ャ": "a", "ュ": "u", "ョ": "o", "ァ": "a", "ィ": "i", "ゥ": "u", "ェ": "e", "ォ": "o", "ヮ": "a"}
# consonants before small kana
_PALATAL = {
    "キ": "ky",
    "ギ": "gy",
    "シ": "sh",
    "ジ": "j",
    "ヂ": "j",
    "チ": "ch",
    "ニ": "ny",
    "ヒ": "hy",
    "ビ": "by",
    "ピ": "py",
    "ミ": "my",
    "リ": "ry",
    "ヴ": "by",
    "フ": "fy",
    "テ": "ty",
    "デ": "dy",
    "イ": "y",
}
_FOREIGN = {
    "イ": "y",
    "ウ": "w",
    "ク": "kw",
    "グ": "gw",
    "シ": "sh",
    "ジ": "j",
    "ヂ": "j",
    "ス": "s",
    "ズ": "z",
    "ヅ": "z",
    "チ": "ch",
    "ツ": "ts",
    "テ": "t",
    "デ": "d",
    "ト": "t",
    "ド": "d",
    "フ": "f",
    "ヴ": "b",
    "ニ": "ny",
    "ヒ": "hy",
    "ビ": "by",
    "ピ": "py",
    "ミ": "my",
    "リ": "ry",
    "キ": "ky",
    "ギ": "gy",
    "ホ": "hw",
    "サ": "s",
    "ル": "r",
    "ヌ": "n",
    "ム": "m",
    "プ": "p",
    "ブ": "b",
}


def to_katakana(text: str) -> str:
    text = unicodedata.normalize("NFKC", text)
    return "".join(chr(ord(c) + 0x60) if "ぁ" <= c <= "ゖ" or c in "ゝゞ" else c for c in text)


_KANA = re.compile(r"[ァ-ヺー]")


def kana_to_moras(kana: str) -> list[str]:
    """Raw tokens, before lengthening is folded."""
    kana = to_katakana(kana).replace("’", "").replace("'", "").replace("〜", "ー").replace("~", "ー")
    kana = kana.replace("ヷ", "ヴァ").replace("ヺ", "ヴォ").replace("ヸ", "ヴィ").replace("ヹ", "ヴェ")
    kana = "".join(c for c in kana if _KANA.match(c))
    out: list[str] = []
    i = 0
    while i < len(kana):
        c = kana[i]
        n = kana[i + 1] if i + 1 < len(kana) else ""
        if n in ("ャ", "ュ", "ョ") and c in _PALATAL:
            out.append(_PALATAL[c] + _SMALL[n])
            i += 2
            continue
        if n in ("ァ", "ィ", "ゥ", "ェ", "ォ", "ヮ") and c in _FOREIGN:
            v = _SMALL[n]
            if c in "キギニヒビピミリ" and n == "ィ":  # キィ = キー
                out += [_ROWS[c], "i"]
                i += 2
                continue
            if c in "クスツズヅフルヌムプブグヴ" and n == "ゥ":  # スゥ = スー
                out += [_ROWS[c], "u"]
                i += 2
                continue
            if c == "サ":
                out += [_ROWS[c], v]
                i += 2
                continue
            if c == "ホ" or (c in "ルヌムプブ"):
                out += [_ROWS[c], v]
                i += 2
                continue
            if (c == "シ" and n == "ィ") or (c in "ジヂチ" and n == "ィ"):
                out += [_ROWS[c], "i"]
                i += 2
                continue
            if (c == "デ" and n == "ェ") or (c == "テ" and n == "ェ"):
                out += [_ROWS[c], "e"]
                i += 2
                continue
            out.append(_FOREIGN[c] + v)
            i += 2
            continue
        out.append(_ROWS.get(c, "?"))
        i += 1
    return out


_PHONE_FIX = {"cy": "ch", "si": "si"}


def phones_to_moras(phones: list[str]) -> list[str]:
    """Open JTalk / jsut-label phones (no pauses) to raw tokens; devoiced vowels lower-cased."""
    out: list[str] = []
    cons = ""
    for p in phones:
        if p in ("cl", "q"):
            if cons:
                out.append(cons + "?")
                cons = ""
            out.append("cl")
        elif p == "N":
            if cons:
                out.append(cons + "?")
                cons = ""
            out.append("N")
        elif p in "aeiouAEIOU":
            m = cons + p.lower()
            cons = ""
            out.append(_fix(m))
        elif p == "-":
            out.append("-")
        else:
            cons = cons + p if cons else p
    if cons:
        out.append(cons + "?")
    return out


def _fix(m: str) -> str:
    if m.startswith("v"):
        m = "b" + m[1:]
    return {"hu": "fu", "si": "si", "ti": "ti", "tu": "tu", "zi": "zi", "du": "du", "di": "di"}.get(m, m)


def fold(moras: list[str]) -> list[str]:
    """Lengthening vowels -> '-', then イウ -> ユー. Keeps the number of moras."""
    out: list[str] = []
    v = ""  # vowel in force
    for t in moras:
        if t in ("N", "cl"):
            out.append(t)
            v = ""
        elif t == "-" or (
            t in ("a", "i", "u", "e", "o") and v and (t == v or (v == "e" and t == "i") or (v == "o" and t == "u"))
        ):
            out.append("-")
        else:
            out.append(t)
            v = t[-1] if t[-1] in "aiueo" else ""
    for i in range(len(out) - 1):
        if out[i] == "i" and out[i + 1] == "u":
            out[i], out[i + 1] = "yu", "-"
    return out


def norm_kana(kana: str) -> list[str]:
    return fold(kana_to_moras(kana))
