"""Latin words in Japanese: what the dictionary knows stays, the rest is written in katakana."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any, Final

from koebin.engine.text.mapped import MappedText
from koebin.engine.text.openjtalk import known_word

# A few letters after a figure are a unit, and Open JTalk knows those.
_WORD: Final = re.compile(r"(?<![A-Za-z\d])[A-Za-z]+|(?<=\d)[A-Za-z]{5,}")
_PARTS: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")

_LEXICON: Final = {
    "docker": "ドッカー",
    "github": "ギットハブ",
    "kubernetes": "クバネティス",
    "linux": "リナックス",
    "mr": "ミスター",
    "mrs": "ミセス",
    "ms": "ミズ",
    "dr": "ドクター",
    "ver": "バージョン",
    "vs": "バーサス",
    "openai": "オープンエーアイ",
    "pytorch": "パイトーチ",
    "redis": "レディス",
    "ubuntu": "ウブントゥ",
    "wifi": "ワイファイ",
    "wi": "ワイ",
    "fi": "ファイ",
    "celery": "セロリ",
    "gmail": "ジーメール",
    "orz": "オーアールゼット",
    "vtuber": "ブイチューバー",
    "wordpress": "ワードプレス",
    "kindle": "キンドル",
    "hulu": "フールー",
    "uber": "ウーバー",
    "airpods": "エアポッズ",
    "chatbot": "チャットボット",
    "webtoon": "ウェブトゥーン",
    "blog": "ブログ",
    "cafe": "カフェ",
    "tiktok": "ティックトック",
    "xbox": "エックスボックス",
    "pokemon": "ポケモン",
    "copilot": "コパイロット",
    "swift": "スイフト",
    "php": "ピーエイチピー",
    "nginx": "エンジンエックス",
    "mazda": "マツダ",
    "benz": "ベンツ",
    "audi": "アウディ",
    "steam": "スチーム",
    "chanel": "シャネル",
    "puma": "プーマ",
    "mcdonald": "マクドナルド",
    "sim": "シム",
    "json": "ジェイソン",
    "ram": "ラム",
    "readme": "リードミー",
    "canva": "キャンバ",
    "kotlin": "コトリン",
    "angular": "アンギュラー",
}
"""What is neither in Open JTalk's dictionary nor guessed well from its spelling."""

_MAX_WORD: Final = 40


_CONTRACTIONS: Final = {
    "i'm": "アイム",
    "i've": "アイブ",
    "i'll": "アイル",
    "i'd": "アイド",
    "you're": "ユア",
    "we're": "ウィア",
    "they're": "ゼア",
    "it's": "イッツ",
    "that's": "ザッツ",
    "what's": "ワッツ",
    "let's": "レッツ",
    "he's": "ヒーズ",
    "she's": "シーズ",
    "don't": "ドント",
    "can't": "キャント",
    "won't": "ウォント",
    "isn't": "イズント",
    "didn't": "ディドント",
    "doesn't": "ダズント",
    "rock'n'roll": "ロックンロール",
}
_ORDINALS: Final = {1: "ファースト", 2: "セカンド", 3: "サード"}


_ELEMENTS: Final = frozenset(
    [
        "H",
        "He",
        "Li",
        "Be",
        "B",
        "C",
        "N",
        "O",
        "F",
        "Ne",
        "Na",
        "Mg",
        "Al",
        "Si",
        "P",
        "S",
        "Cl",
        "Ar",
        "K",
        "Ca",
        "Ti",
        "Cr",
        "Mn",
        "Fe",
        "Co",
        "Ni",
        "Cu",
        "Zn",
        "Br",
        "Ag",
        "Sn",
        "I",
        "Ba",
        "Pt",
        "Au",
        "Hg",
        "Pb",
        "U",
    ]
)
_ELEMENT: Final = re.compile(r"([A-Z][a-z]?)(\d*)")
_COMPOUNDS: Final = frozenset(
    ["NaCl", "HCl", "NaOH", "KCl", "KOH", "HBr", "HF", "LiCl", "MgO", "CaO", "FeS", "CuO", "ZnO", "SiC", "NaI", "AgCl"]
)


def read_formula(word: str) -> str:
    """``CaCO3`` letter by letter, with spaces between; other words as they are."""
    parts = _ELEMENT.findall(word)
    if not all(element in _ELEMENTS for element, _ in parts) or len(parts) < 2:
        return word
    if word not in _COMPOUNDS and not any(number for _, number in parts):
        return word
    return " ".join(f"{element.upper()}{number}" for element, number in parts)


def read_contraction(word: str) -> str:
    """``I'm`` -> ``アイム``; others lose their apostrophe and are read as one word."""
    return _CONTRACTIONS.get(word.lower().replace("’", "'"), re.sub("['’]", "", word))


def read_ordinal(digits: str) -> str:
    """``1`` (of ``1st``) -> ``ファースト``, from the fourth on in Japanese: ``10番目``."""
    return _ORDINALS.get(int(digits), f"{digits}番目")


def read_words(mapped: MappedText) -> MappedText:
    """Replace the Latin words that Open JTalk would spell letter by letter; abbreviations are meant to be spelled."""
    return mapped.sub(_WORD, lambda match: read_word(match.group()))


@lru_cache(maxsize=8192)
def read_word(word: str) -> str:
    """The word itself if Open JTalk reads it (or should spell it), else its katakana."""
    lower = word.lower()
    if lower in _LEXICON:
        return _LEXICON[lower]
    if len(word) == 1 or known_word(word):
        return word
    if word.isupper() and (len(word) <= 4 or not re.search("[AEIOU]", word)):
        return word
    if word != lower and known_word(lower):
        return lower
    parts = _PARTS.findall(word)
    if 1 < len(parts) <= 6 and not word.isupper():
        return word.upper() if len(word) <= 3 else " ".join(map(read_word, parts))
    return _guess(lower)


def _guess(word: str) -> str:
    if len(word) > _MAX_WORD or not re.search("[aeiouy]", word):
        return word.upper()
    kana: str = _kanalizer().convert(word, on_incomplete="ignore")
    return kana or word.upper()


def _kanalizer() -> Any:
    import kanalizer

    return kanalizer
