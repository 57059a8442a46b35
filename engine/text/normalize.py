"""A user's text, rewritten so that Open JTalk reads all of it: figures, units, dates, symbols, brackets, Latin words.

The result holds kana, kanji, Greek and Latin letters, figures, spaces between words, and punctuation as Japanese has
it: ``、 。 ! ? 「 」 … ‥ ―``. The dictionary knows these; of the marks of the voices it takes the comma for a
numeral. A point between figures stays ``.``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Final

from koebin.engine.text.compatibility import fold_compatibility
from koebin.engine.text.decoration import without_decoration
from koebin.engine.text.english import read_contraction, read_formula, read_ordinal, read_words
from koebin.engine.text.katakana import HELD, shorten
from koebin.engine.text.mapped import MappedText
from koebin.engine.text.numbers import read_code, read_decimal, read_integer

_Rule = tuple[re.Pattern[str], Callable[[re.Match[str]], str] | str]

_KANA: Final = "ぁ-ゖァ-ヺーヽヾゝゞ"
_KANJI: Final = "一-鿿㐀-䶿々〇"
_POINT: Final = "\ue000"
"""A point between figures, while other points are made full stops; private characters do not come this far."""
_NOT_IN_NUMBER: Final = r"(?<![\d.,])"


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


def _apply(rules: Sequence[_Rule], mapped: MappedText) -> MappedText:
    for pattern, replacement in rules:
        mapped = mapped.sub(pattern, replacement)
    return mapped


def _date(match: re.Match[str]) -> str:
    year, month, day = match.group(1), int(match.group(3)), int(match.group(4))
    if not (1 <= month <= 12 and 1 <= day <= 31):
        return match.group()
    return f"{int(year)}年{month}月{day}日"


def _month_and_day(match: re.Match[str]) -> str:
    """``11/23``: a date where no fraction is meant, that is before a weekday or with a day above 12."""
    month, day = int(match.group(1)), int(match.group(2))
    weekday = match.group(3) or ""
    if 1 <= month <= 12 and 1 <= day <= 31 and (weekday or day > 12) and len(match.group(1)) <= 2:
        return f"{month}月{day}日{weekday}"
    return f"{match.group(2)}分の{match.group(1)}{weekday}"


def _days(match: re.Match[str]) -> str:
    """``5/20-6/10``: from one day to another."""
    numbers = [int(number) for number in match.groups()]
    if not all(1 <= month <= 12 and 1 <= day <= 31 for month, day in (numbers[:2], numbers[2:])):
        return match.group()
    return "{}月{}日から{}月{}日".format(*numbers)


def _weekdays(match: re.Match[str]) -> str:
    return f"{match.group(1)}曜から{match.group(2)}曜"


def _time(match: re.Match[str]) -> str:
    hour, minute, second = match.group(1), match.group(2), match.group(3)
    if int(hour) > 29:
        return match.group()
    said = f"{int(hour) or '零'}時" + (f"{int(minute)}分" if int(minute) or second else "")
    return said + (f"{int(second)}秒" if second and int(second) else "")


_CURRENCIES: Final = {
    "$": "ドル",
    "¥": "円",
    "£": "ポンド",
    "€": "ユーロ",
    "¢": "セント",
    "₩": "ウォン",
    "₱": "ペソ",
    "₹": "ルピー",
}
_HUNDREDTHS: Final = {"$": "セント", "£": "ペンス", "€": "セント"}


def _amount(match: re.Match[str]) -> str:
    sign, whole, fraction, scale = match.group(1), match.group(2), match.group(3), match.group(4) or ""
    currency = _CURRENCIES[sign]
    if sign in _HUNDREDTHS and fraction and len(fraction) == 2 and not scale:
        cents = f"{int(fraction)}{_HUNDREDTHS[sign]}" if int(fraction) else ""
        return f"{whole}{currency}{cents}"
    return f"{whole}{'.' + fraction if fraction else ''}{scale}{currency}"


def _hyphenated(match: re.Match[str]) -> str:
    """Figures with hyphens: a telephone or card number, a range of years, or a number of parts (1-2-3)."""
    groups = re.findall(r"\d+", match.group())
    if groups[0].startswith("0") or (len(groups) > 2 and sum(map(len, groups)) >= 9) or _is_post_code(groups):
        return read_code(groups)
    if len(groups) == 2 and max(map(len, groups)) <= 2 and _SCORE.search(match.string):
        return "タイ".join(groups)
    if len(groups) == 2 and int(groups[0]) < int(groups[1]) and (unit := _COUNTER.match(match.string, match.end())):
        return f"{groups[0]}{unit.group() if unit.group() in '時月日' else ''}から{groups[1]}"
    if (
        len(groups) == 2
        and [len(group) for group in groups] == [4, 4]
        and 1000 <= int(groups[0]) < int(groups[1]) < 2200
    ):
        return f"{groups[0]}から{groups[1]}"
    return "の".join(groups)


_SCORE: Final = re.compile(
    "勝|敗|負け|下し|破っ|破り|引き分け|試合|対戦|スコア|先制|延長|リード|逆転|ホーム|セット|戦は|戦で"
)
_COUNTER: Final = re.compile(
    "[人名枚本度回日年匹冊杯歩点倍個歳才月時分秒週円階件台%ページ通行頭羽着足曲話巻章問室席]|%|キロ|メートル|万"
)


def _is_post_code(groups: list[str]) -> bool:
    return [len(group) for group in groups] == [3, 4]


def _post_code(match: re.Match[str]) -> str:
    groups = re.findall(r"\d+", match.group())
    return "郵便番号" + (read_code(groups) if groups else "")


def _number(match: re.Match[str]) -> str:
    whole, fraction, integer = match.groups()
    return read_integer(integer) if integer else read_decimal(whole, fraction).replace(".", _POINT)


def _ordinal_name(digits: str) -> str:
    """``No.1`` -> ``ナンバーワン``."""
    return "ナンバー" + {"1": "ワン", "2": "ツー", "3": "スリー"}.get(digits, digits)


def _points(match: re.Match[str]) -> str:
    """``1.2.3``: a version or an address, part by part."""
    return "テン".join(read_integer(part) for part in match.group().split("."))


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
    **_CURRENCIES,
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

_UNITS: Final = "[kcm]?m|km/h|[kKMGT]?B|[km]?g|[kMG]?Hz|m?[Ll]|k?W|h?Pa|%"
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

_AFTER_NAME: Final = r"(?<=[A-Za-z] )(?<![^A-Za-z][A-Za-z] )"
"""``iPhone 6s``: the letter belongs to the name."""

_HEADING: Final = re.compile(
    rf"\A\s*(第[0-9〇一二三四五六七八九十百]+\S?|[一二三四五六七八九十]+)\s+(?=[{_KANA}{_KANJI}])"
)
"""``第一章　朝``, ``一　雨の日``: what is numbered is not counted."""

_MARKS: Final[_Rule] = (
    re.compile("[" + re.escape("".join(_PUNCTUATION)) + "]"),
    lambda match: _PUNCTUATION[match.group()],
)
_GUESSES: Final[_Rule] = (_ABOUT, lambda match: match.group() + "、")

_PLAIN: Final = re.compile("[ぁ-ゖァ-ヶーヽヾゝゞ一-鿿々、。「」『』!?―—]+")
_SCREAMS: Final[_Rule] = (HELD, lambda match: shorten(match.group()))
_PLAIN_RULES: Final = (_SCREAMS, _MARKS, _GUESSES)
"""Without figures, letters, white space and other signs, which most sentences have none of, no other rule applies."""

_RULES: Final[tuple[_Rule, ...]] = (
    (re.compile(r"\r\n?|[\n\u0085\u2028\u2029\v\f]"), "\n"),
    (re.compile(r"[~∼〜]"), "〜"),
    _SCREAMS,
    (re.compile(r"[A-Za-z]+['’][A-Za-z]+"), lambda match: read_contraction(match.group())),
    (re.compile(r"(?<=[A-Za-z])['’](?=[A-Za-z])"), ""),
    (re.compile(r"\(株\)"), "株式会社"),
    (re.compile(r"(?<![A-Za-z])(?:[A-Za-z]\.){2,}"), lambda match: match.group().replace(".", "").upper()),
    (re.compile(r"(?<=[A-Za-z])\.(?=\d)"), " "),
    (re.compile(rf"(?<=\d)\s+(?=(?:{_UNITS})(?![A-Za-z]))"), ""),
    (re.compile(r"://"), "コロンスラッシュスラッシュ"),
    (re.compile(r"[-=]+>|<[-=]+"), "、"),
    (re.compile(r"\\(?=\d)"), "¥"),
    (re.compile(r"(?<![\d,])\d{1,3}(?:,\d{3})+(?![\d,])"), lambda match: match.group().replace(",", "")),
    (re.compile(r"(?<![\dA-Za-z/-])(\d{4})([/.-])(\d{1,2})\2(\d{1,2})(?![\d/.-]\d|\d)"), _date),
    (re.compile(r"(?<![\d:])(\d{1,2}):([0-5]\d)(?::([0-5]\d))?(?![\d:])"), _time),
    (re.compile(r"([$¥£€₩₱₹])\s?(\d+)(?:\.(\d+))?([万億兆])?"), _amount),
    (re.compile(r"〒\s*\d{3}[-‐‑–−ー]?\d{4}(?!\d)"), _post_code),
    (re.compile(rf"{_NOT_IN_NUMBER}(?<![A-Za-z-])0\d{{1,4}}(?:[-‐‑–−ー]\d{{1,4}}){{2}}(?![\d-])"), _hyphenated),
    (re.compile(r"\(?(0\d{1,4})\)[ -]?(\d{1,4})[-‐‑–−](\d{4})(?![\d-])"), _hyphenated),
    (re.compile(rf"{_NOT_IN_NUMBER}\d+(?:[-‐‑–−]\d+)+(?![\d.])"), _hyphenated),
    (re.compile(r"(?<=[時分秒])[-‐‑–−](?=\d)"), "から"),
    (re.compile(r"(?<![0-9A-Za-z)])[-‐‑–−](?=\d|\.\d)"), "マイナス"),
    (re.compile(r"(?<=\d)km/h(?![A-Za-z])"), "キロメートル毎時"),
    (re.compile(r"(?<=\d)m/s(?![A-Za-z])"), "メートル毎秒"),
    (re.compile(r"(?<![\d/])(\d{1,2})/(\d{1,2})\s?[-〜]\s?(\d{1,2})/(\d{1,2})(?![\d/])"), _days),
    (re.compile(r"(?<![\d/])(\d+)[/⁄](\d+)(?![\d/])(\([月火水木金土日祝・]+\))?"), _month_and_day),
    (re.compile(r"(?<=日)\s?\(([月火水木金土日])\)\s?[-〜]\s?(?=\d)"), lambda match: f"{match.group(1)}曜日から"),
    (re.compile(r"(?<=日)\s?\(([月火水木金土日])([・,]?祝)?\)"), lambda match: f"({match.group(1)}曜日)"),
    (re.compile(r"(?<=\d):(?=\d)"), "タイ"),
    (re.compile(r"(?<!\d)([月火水木金土日])(?:曜日?)?[-〜]([月火水木金土日])(?:曜日?|(?!\d))"), _weekdays),
    (re.compile(r"(?<![A-Za-z\d])(\d+)(?:st|nd|rd|th)(?![A-Za-z])"), lambda match: read_ordinal(match.group(1))),
    (re.compile(rf"(?<=[\d{_NUMBER_UNITS}])〜(?=[\d$¥£€])"), "から"),
    (re.compile(rf"(?<=[{_KANJI}A-Za-z])〜(?=[{_KANJI}ァ-ヺA-Za-z])"), "から"),
    (re.compile(rf"(?<=[{_KANA}{_KANJI}])〜+"), lambda match: "ー" * len(match.group())),
    (re.compile(r"(\d+(?:\.\d+)?)\s?°F(?![A-Za-z])"), lambda match: f"華氏{match.group(1)}度"),
    (re.compile(r"°C(?![A-Za-z])|℃"), "度"),
    (
        re.compile(r"(?<=\d)[Ee]([-+−]?)(?=\d)"),
        lambda match: "E" + {"": "", "+": "プラス"}.get(match.group(1), "マイナス"),
    ),
    (
        re.compile(rf"{_AFTER_NAME}(\d+)([sShHLl])(?![A-Za-z])"),
        lambda match: f"{match.group(1)} {match.group(2).upper()}",
    ),
    (re.compile(r"(?<=\d)L(?=サイズ|の服|判|寸|パック)"), " L"),
    (re.compile(r"(?<=\d)\s?[Ll](?![A-Za-z])"), "リットル"),
    (re.compile(r"(?<=\d)h(?![A-Za-z])"), "時間"),
    (re.compile(r"(?<=\d)min(?![A-Za-z])"), "分"),
    (re.compile(r"(?<=\d)ms(?![A-Za-z])"), "ミリ秒"),
    (re.compile(r"(?<=\d)s(?![A-Za-z])"), "秒"),
    (re.compile(r"(?<=\d)px(?![A-Za-z])"), "ピクセル"),
    (re.compile(r"(?<=\d)pt(?![A-Za-z])"), "ポイント"),
    (re.compile(r"(?<=[0-9A-Za-z)])\^(\d+)"), lambda match: f"の{match.group(1)}乗"),
    (re.compile(r"(?:(?<![A-Za-z])[Nn][Oo]\.?\s?|#)(\d+)(?!\d)"), lambda match: _ordinal_name(match.group(1))),
    (re.compile(r"(?<=[A-Za-z])#"), "シャープ"),
    (re.compile(rf"#(?=[A-Za-z{_KANA}{_KANJI}])"), "ハッシュタグ"),
    (re.compile(r"(?<=\d)\s?\*\s?(?=\d)"), "かける"),
    (re.compile(r"(?<=[0-9A-Za-z])_(?=[0-9A-Za-z])"), "アンダーバー"),
    (re.compile(r"(?<=[0-9A-Za-z])\s?<\s?(?=\d)"), "小なり"),
    (re.compile(r"(?<=[0-9A-Za-z])\s?>\s?(?=\d)"), "大なり"),
    (re.compile(r"\d+(?:\.\d+){2,}"), _points),
    (
        re.compile(r"(?<!\d)(\d*)\.(\d+)|(\d+)"),
        lambda match: _number(match) if match.group(2) else read_integer(match.group(3)),
    ),
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
    (re.compile(rf"[^\s{_MARK}{_POINT}0-9A-Za-z\u0370-\u03ff々〇〆{_KANA}{_KANJI}ゟヿ\U00020000-\U0003ffff]+"), " "),
)

_SPACING: Final[tuple[_Rule, ...]] = (
    (re.compile(r"[^\S\n]*\n\s*"), "\n"),
    (re.compile(r"\A\s+|\s+\Z"), ""),
    (re.compile(rf"(?<=[{_MARK}])\n|\n(?=[{_MARK}])"), ""),
    (re.compile(r"\n"), "。"),
    (re.compile(r"\s+"), " "),
    (re.compile(rf" (?=[{_MARK}])|(?<=[{_MARK}]) "), ""),
    (re.compile(_POINT), "."),
)
