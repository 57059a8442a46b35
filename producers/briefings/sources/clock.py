"""Clock source: the due time in words."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from koebin.producers.briefings.calendar import (
    greeting,
    holiday_name,
    spoken_date,
    spoken_era,
    spoken_time,
    spoken_weekday,
    spoken_year,
)


def clock_values(local: datetime) -> dict[str, Any]:
    """Template values of a clock source, for a local time.

    Returns:
        Words (``date``, ``weekday``, ``year``, ``era``, ``time``, ``holiday``, ``greeting``), numbers (``month``,
        ``day``, ``hour``, ``minute``), and ``iso``.
    """
    day = local.date()
    return {
        "date": spoken_date(day),
        "weekday": spoken_weekday(day),
        "year": spoken_year(day),
        "era": spoken_era(day),
        "time": spoken_time(local),
        "holiday": holiday_name(day),
        "greeting": greeting(local),
        "month": local.month,
        "day": local.day,
        "hour": local.hour,
        "minute": local.minute,
        "iso": local.isoformat(),
    }
