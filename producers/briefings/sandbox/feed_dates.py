"""Dates of feeds as they are written: with a zone, with a zone's name, or in Japanese without any."""

from __future__ import annotations

import re
import unicodedata
from datetime import UTC, datetime, timedelta, timezone
from typing import Final

_ZONES: Final = {
    "z": 0, "gmt": 0, "ut": 0, "utc": 0, "jst": 9, "kst": 9, "est": -5, "edt": -4, "cst": -6, "cdt": -5,
    "mst": -7, "mdt": -6, "pst": -8, "pdt": -7, "cet": 1, "cest": 2, "bst": 1, "ist": 5.5, "hst": -10,
}  # fmt: skip
_MONTHS: Final = {
    name: number
    for number, name in enumerate("jan feb mar apr may jun jul aug sep oct nov dec".split(), start=1)  # noqa: SIM905
}
_TIME: Final = (
    r"(?:[t ]*(?:(午前|午後|am|pm)\s*)?([0-9]{1,2})(?::|時)([0-9]{1,2})?"
    r"(?:(?::|分)([0-9]{1,2})?(?:\.[0-9]+)?秒?)?分?)?"
)
_ZONE: Final = r"\s*(z|(?:gmt|utc)[+-][0-9]{1,2}(?::?[0-9]{2})?|[a-z]{2,5}|[+-][0-9]{2}:?[0-9]{2})?"
_ERAS: Final = {"令和": 2018, "r": 2018, "平成": 1988, "h": 1988, "昭和": 1925, "s": 1925}
_ERA: Final = re.compile(r"(令和|平成|昭和|\b[rhs])\s?(元|[0-9]{1,2})(?=[年./-])")
_COMPACT: Final = re.compile(r"([0-9]{4})([0-9]{2})([0-9]{2})(?:t?([0-9]{2})([0-9]{2})([0-9]{2})?)?(\D.*)?")
_MONTH_FIRST: Final = re.compile(r"(?:[a-z]{3,9},? )?([a-z]{3,9})\.? ([0-9]{1,2})(?:st|nd|rd|th)?,? ([0-9]{4})\b(.*)")
_YEAR_LAST: Final = re.compile(
    r"[a-z]{3} ([a-z]{3}) +([0-9]{1,2}) ([0-9:]{5,8}) ?([a-z]{3,4}|[+-][0-9]{4})? ([0-9]{4})"
)
_HALF_LAST: Final = re.compile(r"([0-9]{1,2}:[0-9]{2}(?::[0-9]{2})?) ?([ap])\.?m\b\.?")
_SECONDS: Final = re.compile(r"[0-9]{10}(?:[0-9]{3})?")
_NUMERIC: Final = re.compile(
    rf"[^0-9]*([0-9]{{4}})[-/.年]([0-9]{{1,2}})[-/.月]([0-9]{{1,2}})日?(?:\s*\(.\))?\s*{_TIME}{_ZONE}.*"
)
_WRITTEN: Final = re.compile(
    rf"(?:[^0-9,]*,)?\s*([0-9]{{1,2}})[ -]([a-z]{{3,9}}|[0-9]{{1,2}}月)[ -]([0-9]{{2,4}})\s*{_TIME}{_ZONE}.*"
)


def parse_date(written: str) -> tuple[float | None, str]:
    """Seconds since 1970, or, where the date names no zone, the local time as ISO 8601; (None, "") if it is no date.

    A date without a time has the local form ``2026-11-23``.
    """
    text = unicodedata.normalize("NFKC", written).strip().lower()[:100]
    if _SECONDS.fullmatch(text):
        return float(text[:10]), ""
    text = _rewritten(text)
    numeric, spelt = _NUMERIC.fullmatch(text), _WRITTEN.fullmatch(text)
    if numeric:
        year, month, day = int(numeric[1]), int(numeric[2]), int(numeric[3])
        rest = numeric.groups()[3:]
    elif spelt:
        named = spelt[2]
        month = int(named[:-1]) if named.endswith("月") else _MONTHS.get(named[:3], 0)
        day, year = int(spelt[1]), int(spelt[3])
        year += 0 if len(spelt[3]) == 4 else 2000 if year < 70 else 1900
        rest = spelt.groups()[3:]
    else:
        return None, ""
    half, hour, minute, second, zone = rest
    try:
        clock = _clock(half, hour, minute, second)
        local = datetime(year, month, day) + timedelta(hours=clock[0], minutes=clock[1], seconds=clock[2])  # noqa: DTZ001
        if hour is None:
            return None, local.date().isoformat()
        offset = _offset(zone)
        if offset is None:
            return None, local.isoformat()
        return local.replace(tzinfo=offset).astimezone(UTC).timestamp(), ""
    except (ValueError, OverflowError):
        return None, ""


def _clock(half: str | None, hour: str | None, minute: str | None, second: str | None) -> tuple[int, int, int]:
    hours = int(hour or 0)
    if half in ("午後", "pm") and hours < 12:
        hours += 12
    elif half in ("午前", "am") and hours == 12:
        hours = 0
    minutes, seconds = int(minute or 0), int(second or 0)
    if minutes > 59 or seconds > 60 or (hours, minutes, seconds) > (24, 0, 0):
        raise ValueError(hour)
    return hours, minutes, seconds


def _rewritten(text: str) -> str:
    """Eras, months before days and other orders as one of the two that are read."""
    text = _ERA.sub(lambda found: str(_ERAS[found[1]] + (1 if found[2] == "元" else int(found[2]))), text)
    text = _HALF_LAST.sub(r"\2m \1", text)
    if compact := _COMPACT.fullmatch(text):
        year, month, day, hour, minute, second, zone = compact.groups()
        clock = f" {hour}:{minute}:{second or '00'}" if hour else ""
        return f"{year}-{month}-{day}{clock} {zone or ''}".strip()
    if first := _MONTH_FIRST.fullmatch(text):
        return f"{first[2]} {first[1]} {first[3]}{first[4].replace(',', '')}"
    if last := _YEAR_LAST.fullmatch(text):
        return f"{last[2]} {last[1]} {last[5]} {last[3]} {last[4] or ''}".strip()
    return text


def _offset(zone: str | None) -> timezone | None:
    if not zone:
        return None
    if zone[:3] in ("gmt", "utc") and len(zone) > 3:
        whole, _, rest = zone[4:].partition(":")
        zone = f"{zone[3]}{int(whole[:2]):02d}{rest or whole[2:] or '00':0>2}"
    if zone[0] in "+-":
        minutes = int(zone[1:3]) * 60 + int(zone[-2:])
        return timezone(timedelta(minutes=-minutes if zone[0] == "-" else minutes))
    hours = _ZONES.get(zone)
    return None if hours is None else timezone(timedelta(hours=hours))
