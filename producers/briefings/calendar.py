"""Japanese calendar in spoken form: dates, eras, days of the week, times of day, holidays."""

from __future__ import annotations

from datetime import date, datetime
from typing import Final

from koebin.engine.text.numbers import kanji_number

_WEEKDAYS: Final = "月火水木金土日"
_ERAS: Final = ((date(2019, 5, 1), "令和"), (date(1989, 1, 8), "平成"), (date(1926, 12, 25), "昭和"))


def spoken_date(day: date) -> str:
    """Month and day: 十一月二十三日."""
    return f"{_kanji(day.month)}月{_kanji(day.day)}日"


def spoken_weekday(day: date) -> str:
    """月曜日 to 日曜日."""
    return f"{_WEEKDAYS[day.weekday()]}曜日"


def spoken_year(day: date) -> str:
    """Year of the common era: 二千二十六年."""
    return f"{_kanji(day.year)}年"


def spoken_era(day: date) -> str:
    """Year of the Japanese era: 令和八年, and 令和元年 for its first.

    Raises:
        ValueError: before 昭和 began.
    """
    for begin, era in _ERAS:
        if day >= begin:
            year = day.year - begin.year + 1
            return f"{era}{'元' if year == 1 else _kanji(year)}年"
    raise ValueError(f"{day} lies before the era of Shōwa")


def spoken_time(moment: datetime) -> str:
    """Time of day on the twelve-hour clock: 午前七時三十分, 正午; seconds are left out."""
    if (moment.hour, moment.minute) == (12, 0):
        return "正午"
    half = "午前" if moment.hour < 12 else "午後"
    hour = "れい" if moment.hour % 12 == 0 else _kanji(moment.hour % 12)
    minute = f"{_kanji(moment.minute)}分" if moment.minute else ""
    return f"{half}{hour}時{minute}"


def greeting(moment: datetime) -> str:
    """Greeting for that hour."""
    if 4 <= moment.hour < 11:
        return "おはようございます"
    return "こんにちは" if 11 <= moment.hour < 18 else "こんばんは"


def holiday_name(day: date) -> str:
    """Japanese public holiday of that day, substitute holidays included; "" if there is none."""
    import jpholiday

    return str(jpholiday.is_holiday_name(day) or "")


def _kanji(number: int) -> str:
    return kanji_number(str(number))
