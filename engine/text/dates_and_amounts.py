"""Dates, times, money, units, telephone numbers and ranges, written so that they are read as what they are.

Rules for the steps of ``koebin.engine.text.normalize.normalize``, which says when each group applies.
"""

from __future__ import annotations

import re
from typing import Final

from koebin.engine.text.mapped import Rule
from koebin.engine.text.numbers import read_code, read_decimal, read_integer

POINT: Final = "\ue000"
"""A point between figures, while other points are made full stops; private characters do not come this far."""
_NOT_IN_NUMBER: Final = r"(?<![\d.,])"


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


CURRENCIES: Final = {
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
    currency = CURRENCIES[sign]
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
    return read_integer(integer) if integer else read_decimal(whole, fraction).replace(".", POINT)


def _points(match: re.Match[str]) -> str:
    """``1.2.3``: a version or an address, part by part."""
    return "テン".join(read_integer(part) for part in match.group().split("."))


_UNITS: Final = "[kcm]?m|km/h|[kKMGT]?B|[km]?g|[kMG]?Hz|m?[Ll]|k?W|h?Pa|%"
_AFTER_NAME: Final = r"(?<=[A-Za-z] )(?<![^A-Za-z][A-Za-z] )"
"""``iPhone 6s``: the letter belongs to the name."""

UNIT_AFTER_SPACE: Final[Rule] = (re.compile(rf"(?<=\d)\s+(?=(?:{_UNITS})(?![A-Za-z]))"), "")

DATES_AND_AMOUNTS: Final[tuple[Rule, ...]] = (
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
)

UNITS: Final[tuple[Rule, ...]] = (
    (re.compile(r"(?<!\d)(\d+(?:\.\d+)?)\s?°F(?![A-Za-z])"), lambda match: f"華氏{match.group(1)}度"),
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
)
"""Units behind a figure that the dictionary has no word for."""

NUMBERS: Final[tuple[Rule, ...]] = (
    (re.compile(r"(?<!\d)\d+(?:\.\d+){2,}"), _points),
    (
        re.compile(r"(?<!\d)(\d*)\.(\d+)|(\d+)"),
        lambda match: _number(match) if match.group(2) else read_integer(match.group(3)),
    ),
)
"""What is left of figures; other marks than ``POINT`` may be changed after this."""
