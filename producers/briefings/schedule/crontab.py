"""Crontabs of five fields in a time zone.

As in Debian's cron, a fixed time that summer time skips runs right after the gap, a fixed time that occurs twice runs
the first time, and wildcards (``*/10 * * * *``) simply follow real time.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

_LOOKED_AHEAD: Final = timedelta(days=366 * 5)


def problem_of(crontab: str) -> str:
    """Problem of a crontab; "" if it is valid."""
    if len(crontab.split()) != 5:
        return "a crontab has five fields: minute, hour, day of the month, month, day of the week"
    try:
        next(CronSim(crontab, datetime(2024, 1, 1, tzinfo=UTC)))
    except CronSimError as error:
        return str(error)
    except (StopIteration, RuntimeError):
        return "this day never occurs"
    return ""


def local_times(crontab: str, time_zone: str, after: datetime) -> Iterator[datetime]:
    """Aware local times after ``after``, strictly rising in real time, for at most five years."""
    begin, zone = after.astimezone(UTC), ZoneInfo(time_zone)
    # CronSim forgets which of two equal local times it was given: near a change it starts early, and what is not after
    # the beginning is dropped.
    near = {(begin + timedelta(hours=hours)).astimezone(zone).utcoffset() for hours in (-3, 0, 3)}
    start = begin if len(near) == 1 else begin - timedelta(hours=3)
    previous = begin
    for local in CronSim(crontab, start.astimezone(zone)):
        due = local.astimezone(UTC)
        if due > begin + _LOOKED_AHEAD:
            return
        if due > previous:
            previous = due
            yield local
