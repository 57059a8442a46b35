"""A user's text, rewritten so that Open JTalk reads all of it: figures, units, dates, symbols, brackets, Latin words.

The result holds kana, kanji, Greek and Latin letters, figures, spaces between words, and punctuation as Japanese has
it: ``、 。 ! ? 「 」 … ‥ ―``. The dictionary knows these; of the marks of the voices it takes the comma for a
numeral. A point between figures stays ``.``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from koebin.engine.text.compatibility import fold_compatibility
from koebin.engine.text.dates_and_amounts import (
    CURRENCIES,
    DATES_AND_AMOUNTS,
    NUMBERS,
    POINT,
    UNIT_AFTER_SPACE,
    UNITS,
)
from koebin.engine.text.decoration import without_decoration
from koebin.engine.text.english import read_contraction, read_formula, read_ordinal, read_words
from koebin.engine.text.katakana import HELD, shorten
from koebin.engine.text.mapped import MappedText, Rule

_KANA: Final = "ぁ-ゖァ-ヺーヽヾゝゞ"
_KANJI: Final = "一-鿿㐀-䶿々〇"


def normalize(text: str, protected: Sequence[str] = (), silent: Sequence[tuple[int, int]] = ()) -> MappedText:
    """Rewrite ``text``; ``protected`` surfaces (a user dictionary's, in half-width form) are left as they are, and the
    spans ``silent`` are left out.
    """
    spoken = _without(MappedText.of(text), silent)
    folded = spoken if _PLAIN.fullmatch(spoken.text) else fold_compatibility(without_decoration(spoken))
    if not protected and _PLAIN.fullmatch(folded.text):
        return _apply(_PLAIN_RULES, folded)
    runs = _split_protected(folded, protected)
    return _tidy(_join([run if kept else _rewrite(run) for run, kept in runs]))


def _without(text: MappedText, spans: Sequence[tuple[int, int]]) -> MappedText:
    edges = [0, *(place for span in spans for place in span), len(text.text)]
    return _join([text[start:end] for start, end in zip(edges[::2], edges[1::2], strict=True)]) if spans else text


def _split_protected(folded: MappedText, protected: Sequence[str]) -> list[tuple[MappedText, bool]]:
    if not protected:
        return [(folded, False)]
    pattern = _any_of(tuple(protected))
    runs: list[tuple[MappedText, bool]] = []
    position = 0
    for match in pattern.finditer(folded.text):
        runs += [(folded[position : match.start()], False), (folded[match.start() : match.end()], True)]
        position = match.end()
    return [*runs, (folded[position:], False)]


@lru_cache(maxsize=16)
def _any_of(surfaces: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile("|".join(map(_whole, sorted(surfaces, key=len, reverse=True))))


def _whole(surface: str) -> str:
    """A pattern for the surface that does not match inside a longer Latin word or number."""
    before, after = (_same_kind(edge) for edge in (surface[0], surface[-1]))
    return (f"(?<!{before})" if before else "") + re.escape(surface) + (f"(?!{after})" if after else "")


def _same_kind(char: str) -> str:
    if not (char.isascii() and char.isalnum()):
        return ""
    return "[A-Za-z]" if char.isalpha() else r"\d"


def _join(runs: list[MappedText]) -> MappedText:
    return MappedText(
        "".join(run.text for run in runs),
        tuple(start for run in runs for start in run.starts),
        tuple(end for run in runs for end in run.ends),
    )


def _rewrite(mapped: MappedText) -> MappedText:
    return read_words(_apply(_RULES, mapped))


def _tidy(mapped: MappedText) -> MappedText:
    """Single spaces between words only, and no point for a line break after punctuation."""
    return _apply(_SPACING, mapped)


def _apply(rules: Sequence[Rule], mapped: MappedText) -> MappedText:
    for pattern, replacement in rules:
        mapped = mapped.sub(pattern, replacement)
    return mapped


def _ordinal_name(digits: str) -> str:
    """``No.1`` -> ``ナンバーワン``."""
    return "ナンバー" + {"1": "ワン", "2": "ツー", "3": "スリー"}.get(digits, digits)


_SYMBOLS: Final = {
    "%": "パーセント",
    "‰": "パーミル",
    "&": "アンド",
    "@": "アットマーク",
    "+": "プラス",
    "=": "イコール",
    "≠": "ノットイコール",
    "≒": "ニアリーイコール",
    "≈": "ニアリーイコール",
    "≦": "小なりイコール",
    "≤": "小なりイコール",
    "≧": "大なりイコール",
    "≥": "大なりイコール",
    "×": "かける",
    "÷": "割る",
    "±": "プラスマイナス",
    "√": "ルート",
    "∞": "無限大",
    "°": "度",
    "/": "スラッシュ",
    "⁄": "スラッシュ",
    "\\": "バックスラッシュ",
    "〒": "郵便番号",
    "§": "セクション",
    "♯": "シャープ",
    "♭": "フラット",
    "○": "〇",
    "◯": "〇",
    **CURRENCIES,
}

_PUNCTUATION: Final = {
    **dict.fromkeys("、，,､·・:;|￤→←↑↓⇒⇔〜", "、"),
    **dict.fromkeys("。．.｡", "。"),
    **dict.fromkeys("“‘(《【[「『〈〔〖〘{<«‹｢", "「"),
    **dict.fromkeys("”’`´)》】]」』〉〕〗〙}>»›｣＂＇", "」"),
    **dict.fromkeys("-˗‐‑‒–—―⁃−⎯⏤─━⸺⸻", "―"),
    "⋯": "…",
}
_MARK: Final = "!?、。「」…‥―"

_NUMBER_UNITS: Final = "時分秒日月年円人個回歳度章話巻号番本枚台位階点倍割万億兆%℃kgcmmm"

_COUNTED: Final = (
    "[人名枚本度回日年軒匹冊杯町里間尺寸丁羽頭通行字個点歩升合貫両銭円分秒週台代つ]|時間|[ヶケか箇ヵカ個][月所国]"
)
_ABOUT: Final = re.compile(
    r"(?<=十)(?<!月.十)(?<!年.十)(一(?=二)|二(?=三)|三(?=四)|四(?=五)|五(?=六)|六(?=七)|七(?=八)|八(?=九))(?=.(?![〇一二三四五六七八九十百千万月]))|"
    r"(?<![〇一二三四五六七八九第月時])(?<!明治|大正|昭和|平成|令和)"
    rf"(一(?=二)|二(?=三)|三(?=四)|四(?=五)|五(?=六)|六(?=七)|七(?=八)|八(?=九))(?=.(?:{_COUNTED}))"
)
"""``二三人``: two or three people. After an era, a month or an hour, and in longer rows, it is 23."""

_HEADING: Final = re.compile(
    rf"\A\s*(第[0-9〇一二三四五六七八九十百]+\S?|[一二三四五六七八九十]+)\s+(?=[{_KANA}{_KANJI}])"
)
"""``第一章　朝``, ``一　雨の日``: what is numbered is not counted."""

_MARKS: Final[Rule] = (
    re.compile("[" + re.escape("".join(_PUNCTUATION)) + "]"),
    lambda match: _PUNCTUATION[match.group()],
)
_GUESSES: Final[Rule] = (_ABOUT, lambda match: match.group() + "、")

_PLAIN: Final = re.compile("[ぁ-ゖァ-ヶーヽヾゝゞ一-鿿々、。「」『』!?―—]+")
_SCREAMS: Final[Rule] = (HELD, lambda match: shorten(match.group()))
_PLAIN_RULES: Final = (_SCREAMS, _MARKS, _GUESSES)
"""Without figures, letters, white space and other signs, which most sentences have none of, no other rule applies."""

_RULES: Final[tuple[Rule, ...]] = (
    (re.compile(r"\r\n?|[\n\u0085\u2028\u2029\v\f]"), "\n"),
    (re.compile(r"[~∼〜]"), "〜"),
    _SCREAMS,
    (re.compile(r"(?<![A-Za-z])[A-Za-z]+['’][A-Za-z]+"), lambda match: read_contraction(match.group())),
    (re.compile(r"(?<=[A-Za-z])['’](?=[A-Za-z])"), ""),
    (re.compile(r"\(株\)"), "株式会社"),
    (re.compile(r"(?<![A-Za-z])(?:[A-Za-z]\.){2,}"), lambda match: match.group().replace(".", "").upper()),
    (re.compile(r"(?<=[A-Za-z])\.(?=\d)"), " "),
    UNIT_AFTER_SPACE,
    (re.compile(r"://"), "コロンスラッシュスラッシュ"),
    (re.compile(r"(?<![-=])[-=]+>|<[-=]+"), "、"),
    (re.compile(r"\\(?=\d)"), "¥"),
    *DATES_AND_AMOUNTS,
    (re.compile(r"(?<![A-Za-z\d])(\d+)(?:st|nd|rd|th)(?![A-Za-z])"), lambda match: read_ordinal(match.group(1))),
    (re.compile(rf"(?<=[\d{_NUMBER_UNITS}])〜(?=[\d$¥£€])"), "から"),
    (re.compile(rf"(?<=[{_KANJI}A-Za-z])〜(?=[{_KANJI}ァ-ヺA-Za-z])"), "から"),
    (re.compile(rf"(?<=[{_KANA}{_KANJI}])〜+"), lambda match: "ー" * len(match.group())),
    *UNITS,
    (re.compile(r"(?<=[0-9A-Za-z)])\^(\d+)"), lambda match: f"の{match.group(1)}乗"),
    (re.compile(r"(?:(?<![A-Za-z])[Nn][Oo]\.?\s?|#)(\d+)(?!\d)"), lambda match: _ordinal_name(match.group(1))),
    (re.compile(r"(?<=[A-Za-z])#"), "シャープ"),
    (re.compile(rf"#(?=[A-Za-z{_KANA}{_KANJI}])"), "ハッシュタグ"),
    (re.compile(r"(?<=\d)\s?\*\s?(?=\d)"), "かける"),
    (re.compile(r"(?<=[0-9A-Za-z])_(?=[0-9A-Za-z])"), "アンダーバー"),
    (re.compile(r"(?<=[0-9A-Za-z])\s?<\s?(?=\d)"), "小なり"),
    (re.compile(r"(?<=[0-9A-Za-z])\s?>\s?(?=\d)"), "大なり"),
    *NUMBERS,
    (re.compile(r"(?<=[A-Za-z]{2})\.(?=[A-Za-z]{2})|(?<![A-Za-z\d.。])\.(?=[A-Za-z]{2})"), "ドット"),
    (re.compile(r"(?<![A-Za-z])Re:\s?"), "リ、"),
    (re.compile(r"(?i)(?<![a-z])thank\s+(?:you|u)(?![a-z])"), "サンキュー"),
    (re.compile(r"(?<![A-Za-z0-9])(?:[A-Z][a-z]?\d*){2,}(?![A-Za-z0-9])"), lambda match: read_formula(match.group())),
    (re.compile(r"(?<![A-Za-z])(Mr|Mrs|Ms|Dr|St|Prof|vs)\."), lambda match: match.group(1)),
    (re.compile(r"\.{3,}|・{3,}"), lambda match: "…" * -(-len(match.group()) // 3)),
    (re.compile(r"\.\.|・・"), "‥"),
    (re.compile(r"(?<=[ァ-ヺーA-Za-z])・(?=[ァ-ヺA-Za-z])"), " "),
    (re.compile(r"(?<=[A-Za-z])-(?=[A-Za-z])"), " "),
    (re.compile(r"(?<=[A-Za-zァ-ヺー])\s?[×=]\s?(?=[A-Za-zァ-ヺ])"), " "),
    (re.compile(rf"(?<=[〇○◯])×|×(?=印|マーク|×|[^\S\n]*$)|(?<![\w])×(?=[{_KANJI}])|(?<=×)×"), "バツ"),
    (re.compile("[" + re.escape("".join(_SYMBOLS)) + "]"), lambda match: _SYMBOLS[match.group()]),
    (re.compile(r"[\"'](?=[^\s\"'])(?<![^\s、。「…].)"), "「"),
    (re.compile(r"[\"']"), "」"),
    _MARKS,
    (re.compile(r"〳〵|〱"), "々々"),
    _GUESSES,
    (_HEADING, lambda match: match.group(1) + "、"),
    (re.compile(r"(?<![一二三四五六七八九十〇])〇(?![一二三四五六七八九十〇])"), "まる"),
    (re.compile(rf"[^\s{_MARK}{POINT}0-9A-Za-z\u0370-\u03ff々〇〆{_KANA}{_KANJI}ゟヿ\U00020000-\U0003ffff]+"), " "),
)

_SPACING: Final[tuple[Rule, ...]] = (
    (re.compile(r"(?<![^\S\n])[^\S\n]*\n\s*"), "\n"),
    (re.compile(r"\A\s+|(?<!\s)\s+\Z"), ""),
    (re.compile(rf"(?<=[{_MARK}])\n|\n(?=[{_MARK}])"), ""),
    (re.compile(r"\n"), "。"),
    (re.compile(r"\s+"), " "),
    (re.compile(rf" (?=[{_MARK}])|(?<=[{_MARK}]) "), ""),
    (re.compile(POINT), "."),
)
