"""Feed source: RSS and Atom."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from koebin.engine.errors import InvalidText
from koebin.engine.text.checks import check_text
from koebin.producers.briefings.calendar import spoken_date, spoken_time, spoken_weekday
from koebin.producers.briefings.policy import Policy
from koebin.producers.briefings.sandbox.calls import IsolatedFailed, call_isolated
from koebin.producers.briefings.sandbox.plain import plain
from koebin.producers.briefings.sources.base import SourceFailed
from koebin.producers.briefings.sources.fetch import fetch
from koebin.producers.briefings.spec import Briefing, Feed


async def feed_values(source: Feed, briefing: Briefing, policy: Policy) -> dict[str, Any]:
    """Fetch and parse a feed.

    Returns:
        ``title`` and ``items``; an item has ``title``, ``summary``, ``author``, ``link``, and, spoken in the briefing's
        time zone, ``date``, ``weekday`` and ``time`` ("" where the feed gives none). ``left_out`` counts the items that
        hold letters of a script that cannot be read.

    Raises:
        SourceFailed: not reachable, not allowed, too large, too slow, or not a feed.
    """
    body = await fetch(
        source.url,
        hosts=briefing.network.hosts,
        policy=policy,
        timeout=source.timeout,
        max_bytes=source.max_bytes,
    )
    request = {"call": "feed", "content_type": body.content_type, "items": source.items}
    try:
        parsed: dict[str, Any] = await call_isolated(request, body.data, source.timeout)
    except IsolatedFailed as error:
        raise SourceFailed(str(error)) from error
    if not parsed["items"]:
        raise SourceFailed("the feed has no items")
    items = [item for item in parsed["items"] if _speakable(item)]
    if not items:
        raise SourceFailed("no item of the feed can be spoken")
    zone = ZoneInfo(briefing.when.time_zone)
    values = {"title": parsed["title"], "items": [_with_words(item, zone) for item in items]}
    return {**values, "left_out": len(parsed["items"]) - len(items)}


def _speakable(item: dict[str, Any]) -> bool:
    try:
        for name in ("title", "summary"):
            if text := plain(item[name]):
                check_text(text, allow_mute=True)
    except InvalidText:
        return False
    return True


def _with_words(item: dict[str, Any], zone: ZoneInfo) -> dict[str, Any]:
    moment = item.pop("published")
    if moment is None:
        return {**item, "date": "", "weekday": "", "time": ""}
    local = datetime.fromtimestamp(moment, zone)
    return {**item, "date": spoken_date(local), "weekday": spoken_weekday(local), "time": spoken_time(local)}
