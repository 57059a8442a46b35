"""Briefing files: what is read, and what is refused with which message and place."""

from __future__ import annotations

from pathlib import Path

import pytest

from koebin.engine.errors import InvalidBriefing
from koebin.producers.briefings.briefing_file import Feed, load_briefing, load_folder
from koebin.producers.briefings.toml_place import place_of
from koebin.producers.time_spans import seconds

GOOD = """\
title = "朝"
[when]
crontab = "0 7 * * 1-5"
[sources.news]
kind = "feed"
url = "https://www.example.jp/rss"
fallback = "なし"
timeout = "5s"
max_bytes = "500KB"
cache = "10m"
[template]
text = "{{ news }}"
[output]
store = "file:///srv/koebin"
"""


def load(tmp_path: Path, text: str, name: str = "morning.toml"):
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return load_briefing(path)


def test_a_good_file(tmp_path: Path) -> None:
    briefing = load(tmp_path, GOOD)
    assert (briefing.name, briefing.title) == ("morning", "朝")
    assert (briefing.when.time_zone, briefing.when.catch_up, briefing.when.max_age) == ("Asia/Tokyo", "latest", 21600)
    news = briefing.sources["news"]
    assert isinstance(news, Feed)
    assert (news.timeout, news.max_bytes, news.cache, news.items) == (5.0, 500_000, 600.0, 5)
    assert briefing.output.audio.formats == ("mp3",)
    assert briefing.folder == tmp_path


@pytest.mark.parametrize(
    ("old", "new", "message", "line"),
    [
        ('crontab = "0 7 * * 1-5"', 'crontab = "0 25 * * *"', "when.crontab: not a crontab: Bad hour", 3),
        ('crontab = "0 7 * * 1-5"', 'crontab = "0 7 * *"', "five fields", 3),
        ('crontab = "0 7 * * 1-5"', 'crontab = "0 0 7 * * *"', "five fields", 3),
        ('crontab = "0 7 * * 1-5"', 'crontab = "0 7 31 2 *"', "not a crontab", 3),
        ('crontab = "0 7 * * 1-5"', 'crontab = "0 7 * * *"\ntime_zone = "Asia/Edo"', "unknown time zone", 4),
        ('crontab = "0 7 * * 1-5"', 'crontab = "0 7 * * *"\ntime_zone = "/etc/passwd"', "unknown time zone", 4),
        ('crontab = "0 7 * * 1-5"', 'crontab = "0 7 * * *"\nmax_age = "90d"', "when.max_age", 4),
        ('crontab = "0 7 * * 1-5"', "", "when.crontab: Field required", 2),
        ('kind = "feed"', 'kind = "telepathy"', "sources.news", 4),
        ('kind = "feed"', 'kind = "json"', "sources.news.say: Field required", 4),
        ('fallback = "なし"', "", "sources.news.fallback: Field required", 4),
        ('timeout = "5s"', 'timeout = "5 parsecs"', "sources.news.timeout: not a duration", 8),
        ('timeout = "5s"', 'timeout = "5h"', "sources.news.timeout", 8),
        (
            'max_bytes = "500KB"',
            'max_bytes = "1TB"',
            "sources.news.max_bytes: Input should be less than or equal to 33554432",
            9,
        ),
        ('cache = "10m"', 'cash = "10m"', "sources.news.cash: Extra inputs are not permitted", 10),
        ("[sources.news]", "[sources.News-1]", "sources.News-1", 4),
        ('title = "朝"', 'name = "../evil"', "not a valid name of a briefing", 1),
        ('title = "朝"', "title = 朝", "not TOML", 1),
        ('text = "{{ news }}"', "", "either text or file", 11),
        ('text = "{{ news }}"', 'file = "../x.j2"', "outside the briefing's folder", 12),
        ('text = "{{ news }}"', 'file = "absent.j2"', "cannot read", 0),
        ("file:///srv/koebin", "ftp://x", "output.store", 14),
        ("file:///srv/koebin", "s3://user:secret@bucket/x", "output.store", 14),
        ('store = "file', 'key = "x/{name}"\nstore = "file', "must contain {date} and {time}", 14),
        ('store = "file', 'key = "../{date}{time}"\nstore = "file', "not a valid key for a store", 14),
        ('store = "file', 'key = "{date}{time}{0.__class__}"\nstore = "file', "allows only", 14),
        ('store = "file', 'audio = { formats = ["exe"] }\nstore = "file', "output.audio.formats", 14),
        ('store = "file', 'audio = { player = true }\nstore = "file', "a player page is not available", 14),
        ("[template]", '[voice]\nspeaker = "../x"\n[template]', "voice.speaker", 12),
        ("[template]", "[voice]\noptions = { speed = 99 }\n[template]", "speed is out of range", 12),
        ("[template]", "[voice]\noptions = { sped = 1 }\n[template]", "unknown option 'sped'", 12),
    ],
)
def test_bad_files_name_the_field_and_the_line(tmp_path: Path, old: str, new: str, message: str, line: int) -> None:
    assert old in GOOD
    with pytest.raises(InvalidBriefing) as caught:
        load(tmp_path, GOOD.replace(old, new, 1))
    assert message in str(caught.value)
    assert caught.value.line == line


def test_no_message_shows_a_password(tmp_path: Path) -> None:
    with pytest.raises(InvalidBriefing) as caught:
        load(tmp_path, GOOD.replace("file:///srv/koebin", "s3://user:hunter2@bucket/x"))
    assert "hunter2" not in str(caught.value)
    assert "hunter2" not in repr(caught.value)


def test_toml_errors_have_line_and_column(tmp_path: Path) -> None:
    with pytest.raises(InvalidBriefing) as caught:
        load(tmp_path, GOOD.replace('kind = "feed"', "kind = feed"))
    assert (caught.value.line, caught.value.column) == (5, 8)


@pytest.mark.parametrize("data", [b"\xff\xfe", b"a = '" + b"x" * (2 << 20) + b"'"])
def test_files_that_are_no_text(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "x.toml").write_bytes(data)
    with pytest.raises(InvalidBriefing):
        load_briefing(tmp_path / "x.toml")


def test_a_folder_keeps_the_good_ones_and_names_the_others(tmp_path: Path) -> None:
    load(tmp_path, GOOD)
    (tmp_path / "broken.toml").write_text("x")
    (tmp_path / "z_twin.toml").write_text('name = "morning"\n' + GOOD)
    (tmp_path / "notes.txt").write_text("x")
    briefings, problems = load_folder(tmp_path)
    assert list(briefings) == ["morning"]
    assert {path.name: error.what for path, error in problems.items()} == {
        "broken.toml": problems[tmp_path / "broken.toml"].what,
        "z_twin.toml": "two briefings have the same name",
    }


def test_places_are_not_fooled_by_strings() -> None:
    text = 'a = 1\n[b]\nc = """\n[d]\ne = 1\n"""\n[d]\ne = 2\n'
    assert place_of(text, ("d", "e")) == (8, 1)
    assert place_of(text, ("b", "missing")) == (2, 2)
    assert place_of(text, ("missing",)) == (0, 0)


def test_durations() -> None:
    assert [seconds(value) for value in ("90s", "1.5m", "2h", "1d", 3)] == [90, 90, 7200, 86400, 3]
    for bad in ("", "5", "-1s", "1y", True, None):
        with pytest.raises(ValueError, match="not a duration"):
            seconds(bad)
