"""Feed source: RSS and Atom."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from koebin.engine.errors import InvalidText
from koebin.engine.text.checks import check_text, has_speech
from koebin.engine.text.unreadable import find_unreadable
from koebin.producers.briefings.access_policy import Policy
from koebin.producers.briefings.briefing_file import Briefing, Feed
from koebin.producers.briefings.calendar import spoken_date, spoken_time, spoken_weekday
from koebin.producers.briefings.sandbox.calls import IsolatedFailed, call_isolated
from koebin.producers.briefings.sandbox.sanitise import plain
from koebin.producers.briefings.sources.base import SourceFailed
from koebin.producers.briefings.sources.fetch import fetch


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
    untitled = sum(not plain(item["title"]) for item in items)
    return {**values, "left_out": len(parsed["items"]) - len(items), "untitled": untitled}


def _speakable(item: dict[str, Any]) -> bool:
    """Whether anything of an item can be said; letters that cannot be read are silent in it."""
    try:
        texts = [text for text in (plain(item["title"]), plain(item["summary"])) if text]
        for text in texts:
            check_text(text, allow_mute=True)
    except InvalidText:
        return False
    return any(has_speech(text) or not find_unreadable(text) for text in texts)


def _with_words(item: dict[str, Any], zone: ZoneInfo) -> dict[str, Any]:
    moment, written = item.pop("published"), item.pop("local")
    try:
        if moment is not None:
            local, has_time = datetime.fromtimestamp(moment, zone), True
        elif written:
            local, has_time = datetime.fromisoformat(written).replace(tzinfo=zone), "T" in written
        else:
            return {**item, "date": "", "weekday": "", "time": ""}
        said = {"date": spoken_date(local), "weekday": spoken_weekday(local)}
        return {**item, **said, "time": spoken_time(local) if has_time else ""}
    except (ValueError, OverflowError, OSError):  # a year that no calendar here has
        return {**item, "date": "", "weekday": "", "time": ""}
