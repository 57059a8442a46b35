"""Due times of a briefing: its crontab, without excluded days.

Due times are absolute (UTC), so a clock that summer time sets back or forth neither loses nor doubles one.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice, takewhile

from koebin.producers.briefings.briefing_file import Briefing, When
from koebin.producers.briefings.calendar import holiday_name
from koebin.producers.briefings.schedule.crontab import local_times


def next_ticks(briefing: Briefing, after: datetime, count: int) -> list[datetime]:
    """Next ``count`` due times after ``after`` (aware), in UTC; fewer if the next five years hold no more."""
    return list(islice(due_times(briefing.when, after), count))


def ticks_between(briefing: Briefing, after: datetime, until: datetime) -> list[datetime]:
    """Every due time in (after, until], in UTC."""
    return list(takewhile(lambda due: due <= until, due_times(briefing.when, after)))


def due_times(when: When, after: datetime) -> Iterator[datetime]:
    """Due times after ``after`` (aware), strictly rising, in UTC."""
    for local in local_times(when.crontab, when.time_zone, after):
        if not _left_out(when, local):
            yield local.astimezone(UTC)


def _left_out(when: When, local: datetime) -> bool:
    day = local.date()
    if day in when.closed:
        return True
    if when.holidays == "run":
        return False
    return bool(holiday_name(day)) == (when.holidays == "skip")
