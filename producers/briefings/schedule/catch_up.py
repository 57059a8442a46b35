"""Catch-up of missed ticks: which of those that came due while nobody looked are run."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from koebin.producers.briefings.briefing_file import Briefing
from koebin.producers.briefings.schedule.due_times import ticks_between
from koebin.producers.briefings.schedule.journal import Journal, schedule_key

log = logging.getLogger(__name__)

ON_TIME: Final = timedelta(seconds=60)
"""Seconds of delay within which a tick counts as on time; later ones are missed, and ``catch_up`` decides."""
_MOVED_ON: Final = timedelta(seconds=30)
"""Seconds that ``seen`` may lag behind while nothing is due."""
_SET_BACK: Final = timedelta(seconds=90)
"""Seconds; ``seen`` further ahead than this means that the clock was set back, not that two clocks differ."""


def notice(journal: Journal, briefing: Briefing, seen: str, now: datetime) -> int:
    """Open the ticks that have come due since ``seen``, subject to the briefing's ``catch_up``; returns how many.

    Args:
        seen: from the journal; "" if this schedule is new: it begins now.
    """
    schedule, name = schedule_key(briefing), briefing.name
    if not seen:
        return max(0, journal.notice(schedule, name, "", str(Seen(now, now)), ()))
    before = Seen.parse(seen)
    if before.cursor - now > _SET_BACK:
        log.warning(
            "briefing %s: the clock was set back by %s; ticks that ran do not run again", name, before.cursor - now
        )
        return max(0, journal.notice(schedule, name, seen, str(Seen(before.furthest, now)), ()))
    since, oldest = before.since(now), now - max(timedelta(seconds=briefing.when.max_age), ON_TIME)
    if since < oldest:
        log.warning("briefing %s: ticks due before %s are skipped (max_age)", name, oldest.isoformat())
    dues = ticks_between(briefing, max(since, oldest), now)
    if not dues and now - before.cursor < _MOVED_ON:
        return 0
    chosen = _chosen(briefing, dues, now)
    after = Seen(max(before.furthest, now), max(before.cursor, now))
    opened = journal.notice(schedule, name, seen, str(after), chosen)
    if opened >= 0 and len(chosen) < len(dues):
        missed = len(dues) - len(chosen)
        log.warning("briefing %s: %d missed ticks are skipped (catch_up = %s)", name, missed, briefing.when.catch_up)
    return max(0, opened)


@dataclass(frozen=True, slots=True)
class Seen:
    """Time up to which the due times of a schedule have been noticed.

    Attributes:
        furthest: the latest time that any clock has shown.
        cursor: the time that was last looked at; behind ``furthest`` after a clock was set back.
    """

    furthest: datetime
    cursor: datetime

    @classmethod
    def parse(cls, text: str) -> Seen:
        furthest, cursor = (datetime.fromtimestamp(float(part), UTC) for part in text.split())
        return cls(furthest, cursor)

    def __str__(self) -> str:
        return f"{self.furthest.timestamp():.3f} {self.cursor.timestamp():.3f}"

    def since(self, now: datetime) -> datetime:
        """Time from which to look for due times.

        A clock that was wrong for a while and jumps forth again goes on where it once was: what lies between was
        decided then. One that moves on steadily from an earlier time looks at everything, and ticks that ran are known.
        """
        jumped = now > self.furthest - ON_TIME and now - self.cursor > ON_TIME
        return self.furthest if jumped else self.cursor


def _chosen(briefing: Briefing, dues: list[datetime], now: datetime) -> list[datetime]:
    on_time = [due for due in dues if now - due <= ON_TIME]
    match briefing.when.catch_up:
        case "all":
            return dues
        case "latest":
            return on_time or dues[-1:]
        case "skip":
            return on_time
