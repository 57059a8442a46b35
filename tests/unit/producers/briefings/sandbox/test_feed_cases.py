"""Feeds that once failed, each standing for a kind of fault, with its right value."""

from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from koebin.producers.briefings.sandbox.feed_dates import parse_date
from koebin.producers.briefings.sandbox.feed_parser import parse_feed
from koebin.producers.briefings.sources.feed import _with_words

CASES = Path(__file__).parents[1] / "cases"
SEVEN = datetime(2026, 11, 22, 22, tzinfo=UTC).timestamp()


def parsed(name, items=20):
    return parse_feed((CASES / name).read_bytes(), "", items)


def titles(body, content_type=""):
    return [item["title"] for item in parse_feed(body, content_type, 20)["items"]]


def rss(title, encoding="utf-8"):
    document = f'<?xml version="1.0" encoding="{encoding}"?><rss version="2.0"><channel><title>題</title>'
    return f"{document}<item><title>{title}</title></item></channel></rss>"


def test_text_of_atom_is_text():
    assert [item["title"] for item in parsed("01_atom_text_brackets.xml")["items"]] == [
        "Vec<T> の使い方",
        "<script> タグの書き方",
        "<title> を決める",
        "3 < 5 の話",
    ]


def test_a_title_that_is_nothing_but_a_tag_is_not_lost_in_rss_either():
    assert titles(rss("&lt;script&gt; タグの書き方").encode()) == ["<script> タグの書き方"]
    assert titles(rss("Vec&lt;T&gt; の使い方").encode()) == ["Vec<T> の使い方"]
    assert titles(rss("&lt;b&gt;太字&lt;/b&gt;の&lt;ruby&gt;雨&lt;rt&gt;あめ&lt;/rt&gt;&lt;/ruby&gt;").encode()) == [
        "太字の雨"
    ]


def test_characters_of_vendors_in_every_encoding():
    assert [item["title"] for item in parsed("04_eucjp_nec.xml")["items"]] == ["①番の㈱声便", "二つ目の話"]
    for name in ("x-sjis", "Windows-31J", "Shift_JIS"):
        assert titles(rss("①番の㈱声便", name).encode("cp932")) == ["①番の㈱声便"]
    jis = rss("@番", "ISO-2022-JP").encode("iso2022_jp").replace(b"@", b"\x1b$B-!\x1b(B")
    assert titles(jis) == ["①番"]


def test_what_is_not_quite_xml_costs_itself_alone():
    assert titles(rss("R&D と A & B &nbsp;の&eacute;&hellip;").encode()) == ["R&D と A & B のé…"]
    assert titles(rss("雨\x01が\x0b降る").encode()) == ["雨が降る"]
    assert titles(rss("<![CDATA[R&D &amp; 雨]]>").encode()) == ["R&D & 雨"]


def test_a_bad_byte_costs_a_character():
    title = "これは、" * 10 + "話"
    (spoken,) = titles(rss(title).encode().replace("話".encode(), b"\xff"))
    assert spoken.startswith("これは、")


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("Mon, 23 Nov 2026 07:00:00 JST", (SEVEN, "")),
        ("Mon, 23 Nov 2026 07:00:00 +0900", (SEVEN, "")),
        ("Mon, 23 Nov 2026 07:00:00 +09:00", (SEVEN, "")),
        ("Mon, 23 Nov 26 07:00:00 +0900", (SEVEN, "")),
        ("月, 23 11月 2026 07:00:00 +0900", (SEVEN, "")),
        ("2026-11-22T22:00:00Z", (SEVEN, "")),
        ("2026-11-23T07:00:00.123+09:00", (SEVEN, "")),
        ("Sun, 22 Nov 2026 22:00:00 GMT", (SEVEN, "")),
        ("2026年11月23日 7:00", (None, "2026-11-23T07:00:00")),
        ("2026年11月23日（月）午後7時30分", (None, "2026-11-23T19:30:00")),
        ("2026/11/23 07:00:00", (None, "2026-11-23T07:00:00")),
        ("2026-11-23 07:00:00", (None, "2026-11-23T07:00:00")),
        ("2026年11月23日", (None, "2026-11-23")),
        ("2026-11-23", (None, "2026-11-23")),
        ("2026-13-45", (None, "")),
        ("Mon, 23 Nov 2026 07:00:00 GMT+9", (SEVEN, "")),
        ("2026-11-23 07:00 UTC+09:00", (SEVEN, "")),
        ("Mon Nov 23 07:00:00 JST 2026", (SEVEN, "")),
        ("November 23, 2026 7:00 AM JST", (SEVEN, "")),
        ("20261122T220000Z", (SEVEN, "")),
        (str(int(SEVEN)), (SEVEN, "")),
        (f"{int(SEVEN)}000", (SEVEN, "")),
        ("Sun, 22 Nov 2026 24:00:00 JST", (SEVEN - 7 * 3600, "")),
        ("Sun, 22 Nov 2026 25:00:00 JST", (None, "")),
        ("令和8年11月23日 午後7時30分", (None, "2026-11-23T19:30:00")),
        ("R8.11.23", (None, "2026-11-23")),
        ("令和元年5月1日", (None, "2019-05-01")),
        ("平成31年4月30日", (None, "2019-04-30")),
        ("Nov 23, 2026 12:30 a.m.", (None, "2026-11-23T00:30:00")),
        ("20261123", (None, "2026-11-23")),
        ("昨日", (None, "")),
        ("", (None, "")),
    ],
)
def test_dates(written, expected):
    assert parse_date(written) == expected


def test_the_day_itself_in_the_briefings_time_zone():
    zone = ZoneInfo("Asia/Tokyo")
    words = [_with_words(dict(item), zone) for item in parsed("33_jst.xml")["items"]]
    assert {item["date"] for item in words} == {"十一月二十三日"}
    assert {item["time"] for item in words} == {"午前七時"}


def test_a_date_beyond_all_calendars_is_no_date():
    zone = ZoneInfo("Asia/Tokyo")
    first, second = (_with_words(dict(item), zone) for item in parsed("34_9999.xml")["items"])
    assert (first["title"], first["date"]) == ("一つ目の話", "")
    assert second["title"] == "二つ目の話"
