"""Due times: crontabs, holidays, summer time; and the calendar as it is spoken."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from koebin.producers.briefings.calendar import (
    greeting,
    holiday_name,
    spoken_date,
    spoken_era,
    spoken_time,
    spoken_weekday,
    spoken_year,
)
from koebin.producers.briefings.schedule.catch_up import Seen
from koebin.producers.briefings.schedule.due_times import next_ticks, ticks_between


def at(write, crontab: str, zone: str = "Asia/Tokyo", extra: str = ""):
    head = f'[when]\ncrontab = "{crontab}"\ntime_zone = "{zone}"\n{extra}\n[output]\nstore = "file:///srv"\n'
    return write(head=head)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


@pytest.mark.parametrize(
    ("furthest", "cursor", "now", "since"),
    [
        (0, 0, 5, 0),  # five minutes in which nobody looked
        (0, -60, 0, 0),  # an hour back by mistake, and forth to where it was: that hour was decided then
        (0, -60, -0.01, 0),
        (0, -60, 5, 0),
        (0, -60, -59.5, -60),  # set back for good: it moves on from there
        (60 * 24 * 365, 0, 90, 0),  # once a year ahead, and nobody looked for an hour and a half
    ],
)
def test_where_to_look_on_after_the_clock_was_set(furthest: float, cursor: float, now: float, since: float) -> None:
    begin = datetime(2026, 11, 23, tzinfo=UTC)
    at = [begin + timedelta(minutes=minutes) for minutes in (furthest, cursor, now, since)]
    assert Seen(at[0], at[1]).since(at[2]) == at[3]


def test_weekdays_at_seven(write) -> None:
    ticks = next_ticks(at(write, "0 7 * * 1-5"), utc("2026-11-20T07:00+09:00"), 3)
    assert ticks == [utc(f"2026-11-{day}T07:00+09:00") for day in (23, 24, 25)]


def test_holidays_and_closed_days(write) -> None:
    begin = utc("2026-11-22T12:00+09:00")
    days = {
        extra: [tick.astimezone().date() for tick in next_ticks(at(write, "0 12 * * *", extra=extra), begin, 2)]
        for extra in ('holidays = "run"', 'holidays = "skip"', 'holidays = "only"', "closed = [2026-11-23, 2026-11-24]")
    }
    assert list(days.values()) == [
        [date(2026, 11, 23), date(2026, 11, 24)],
        [date(2026, 11, 24), date(2026, 11, 25)],
        [date(2026, 11, 23), date(2027, 1, 1)],
        [date(2026, 11, 25), date(2026, 11, 26)],
    ]


def test_a_time_that_summer_time_skips_runs_right_after_the_gap_and_once(write) -> None:
    begin = utc("2026-03-08T00:00-05:00")
    assert next_ticks(at(write, "30 2 * * *", "America/New_York"), begin, 2) == [
        utc("2026-03-08T03:00-04:00"),
        utc("2026-03-09T02:30-04:00"),
    ]
    merged = next_ticks(at(write, "0,30 2,3 * * *", "America/New_York"), begin, 3)
    assert merged == [utc("2026-03-08T03:00-04:00"), utc("2026-03-08T03:30-04:00"), utc("2026-03-09T02:00-04:00")]


def test_a_time_that_occurs_twice_runs_once_wherever_the_looking_begins(write) -> None:
    briefing = at(write, "30 1 * * *", "America/New_York")
    once = utc("2026-11-01T01:30-04:00")
    assert next_ticks(briefing, utc("2026-11-01T00:00-04:00"), 2) == [once, utc("2026-11-02T01:30-05:00")]
    for minute in range(1, 120):
        assert next_ticks(briefing, once + timedelta(minutes=minute), 1) == [utc("2026-11-02T01:30-05:00")]


def test_wildcards_follow_real_time_through_both_changes(write) -> None:
    briefing = at(write, "*/20 * * * *", "America/New_York")
    for begin in ("2026-03-08T00:00-05:00", "2026-11-01T00:00-04:00"):
        ticks = ticks_between(briefing, utc(begin), utc(begin) + timedelta(hours=6))
        assert ticks == [utc(begin) + timedelta(minutes=20 * number) for number in range(1, 19)]


@pytest.mark.parametrize("crontab", ["30 1 * * *", "*/15 * * * *", "0 */2 * * *", "0,30 1-3 * * *"])
@pytest.mark.parametrize("zone", ["Europe/Berlin", "Australia/Lord_Howe", "Asia/Tokyo"])
def test_looking_in_steps_finds_what_one_look_finds(write, crontab: str, zone: str) -> None:
    briefing = at(write, crontab, zone)
    for begin in (
        datetime(2026, 3, 28, tzinfo=UTC),
        datetime(2026, 10, 3, tzinfo=UTC),
        datetime(2026, 10, 24, tzinfo=UTC),
    ):
        end = begin + timedelta(hours=40)
        steps, now = [], begin
        while now < end:
            steps += ticks_between(briefing, now, now + timedelta(minutes=7))
            now += timedelta(minutes=7)
        assert steps == ticks_between(briefing, begin, now)


def test_rare_days(write) -> None:
    assert next_ticks(at(write, "0 0 29 2 *", "UTC"), utc("2026-01-01T00:00+00:00"), 9) == [
        utc("2028-02-29T00:00+00:00")
    ]
    assert next_ticks(at(write, "0 0 L * *", "UTC"), utc("2026-02-01T00:00+00:00"), 1) == [
        utc("2026-02-28T00:00+00:00")
    ]


def test_dates() -> None:
    day = date(2026, 11, 23)
    assert f"{spoken_date(day)}、{spoken_weekday(day)}" == "十一月二十三日、月曜日"
    assert [spoken_weekday(day + timedelta(days=n))[0] for n in range(7)] == list("月火水木金土日")
    assert spoken_year(day) == "二千二十六年"
    assert (holiday_name(day), holiday_name(date(2026, 11, 24))) == ("勤労感謝の日", "")
    assert holiday_name(date(2026, 5, 6)) != ""  # a substitute holiday


@pytest.mark.parametrize(
    ("day", "era"),
    [
        (date(2026, 11, 23), "令和八年"),
        (date(2019, 5, 1), "令和元年"),
        (date(2019, 4, 30), "平成三十一年"),
        (date(1989, 1, 8), "平成元年"),
        (date(1989, 1, 7), "昭和六十四年"),
    ],
)
def test_eras(day: date, era: str) -> None:
    assert spoken_era(day) == era


@pytest.mark.parametrize(
    ("hour", "minute", "words"),
    [
        (0, 0, "午前れい時"),
        (7, 0, "午前七時"),
        (7, 30, "午前七時三十分"),
        (12, 0, "正午"),
        (12, 5, "午後れい時五分"),
        (23, 59, "午後十一時五十九分"),
    ],
)
def test_times(hour: int, minute: int, words: str) -> None:
    assert spoken_time(datetime(2026, 11, 23, hour, minute, tzinfo=UTC)) == words


def test_greetings() -> None:
    moments = {hour: greeting(datetime(2026, 11, 23, hour, tzinfo=UTC)) for hour in (3, 4, 10, 11, 17, 18)}
    assert list(moments.values()) == ["こんばんは", *["おはようございます"] * 2, *["こんにちは"] * 2, "こんばんは"]
