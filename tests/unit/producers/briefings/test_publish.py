"""Editions: complete before they are the latest, kept as long as wanted, published twice as if once."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import feedparser
import pytest

from koebin.engine.errors import JobFailed, StoreUnavailable
from koebin.producers.briefings.access_policy import Policy
from koebin.producers.briefings.compose import compose
from koebin.producers.briefings.publish import Edition, edition_of, publish
from koebin.tasks.stores.base import Store
from koebin.tasks.stores.uri import open_store
from tests.unit.producers.publishing.feed_rules import broken

BEGIN = datetime(2026, 11, 22, 22, 0, tzinfo=UTC)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return open_store(f"file://{tmp_path}/store")


def edition(store: Store, day: int, **fields: object) -> Edition:
    """The edition of the ``day``-th day, and its job's output."""
    due = BEGIN + timedelta(days=day)
    made = Edition(
        briefing="morning",
        title="朝",
        due=due.isoformat(),
        job=f"job{day}",
        store=store.uri,
        home="briefings/morning",
        key=f"briefings/morning/{due + timedelta(hours=9):%Y-%m-%d-%H%M}",
        keep=3,
        keep_days=None,
    )
    for name in ("programme.mp3", "programme.vtt"):
        store.put(f"jobs/job{day}/out/{name}", f"{name} {day}".encode())
    return replace(made, **fields)


def index(store: Store) -> list[dict]:
    return json.loads(store.get("briefings/morning/index.json"))["editions"]


def keys(store: Store) -> list[str]:
    return sorted(key.removeprefix("briefings/morning/") for key in store.list("briefings/"))


def test_an_edition_has_a_dated_key_and_is_the_latest(store: Store) -> None:
    entry = publish(edition(store, 0, failures=({"name": "news"},)), store, {"duration_seconds": 9}, BEGIN)
    assert keys(store) == ["2026-11-23-0700.mp3", "2026-11-23-0700.vtt", "index.json", "latest.mp3", "latest.vtt"]
    assert store.get("briefings/morning/latest.mp3") == b"programme.mp3 0"
    assert index(store) == [entry]
    assert entry["uris"]["briefings/morning/2026-11-23-0700.mp3"].startswith("file:///")
    assert (entry["failures"], entry["result"]) == ([{"name": "news"}], {"duration_seconds": 9})


def test_publishing_again_changes_nothing(store: Store) -> None:
    first = edition(store, 0)
    publish(first, store, {}, BEGIN)
    before = {key: store.get(key) for key in store.list("briefings/")}
    publish(first, store, {}, BEGIN)
    assert {key: store.get(key) for key in store.list("briefings/")} == before


def test_the_oldest_go_and_an_older_one_never_becomes_the_latest(store: Store) -> None:
    for day in (0, 1, 3, 2, 4):
        publish(edition(store, day), store, {}, BEGIN)
        newest = max(each["due"] for each in index(store))
        assert store.get("briefings/morning/latest.mp3").endswith(
            str((datetime.fromisoformat(newest) - BEGIN).days).encode()
        )
    assert [each["job"] for each in index(store)] == ["job4", "job3", "job2"]
    assert [key for key in keys(store) if key.endswith("mp3")] == [
        *("2026-11-25-0700.mp3", "2026-11-26-0700.mp3", "2026-11-27-0700.mp3"),
        "latest.mp3",
    ]


def test_days_limit_too_but_the_latest_stays(store: Store) -> None:
    for day in (0, 1):
        publish(edition(store, day, keep_days=2), store, {}, BEGIN + timedelta(days=day))
    assert len(index(store)) == 2
    publish(edition(store, 1, keep_days=2), store, {}, BEGIN + timedelta(days=90))
    assert [each["job"] for each in index(store)] == ["job1"]


class Failing:
    """A store that fails at its ``at``-th write."""

    def __init__(self, store: Store, at: int) -> None:
        self._store, self._left = store, at

    def __getattr__(self, name: str) -> object:
        if name in ("put", "put_file", "delete"):
            self._left -= 1
            if self._left < 0:
                raise StoreUnavailable("the store does not answer")
        return getattr(self._store, name)


@pytest.mark.parametrize("at", range(10))
def test_a_publication_that_breaks_off_leaves_the_previous_edition_whole(store: Store, at: int) -> None:
    for day in range(3):
        publish(edition(store, day), store, {}, BEGIN)
    with pytest.raises(StoreUnavailable):
        publish(edition(store, 3), Failing(store, min(at, 6)), {}, BEGIN)  # type: ignore[arg-type]
    for each in index(store):
        assert all(store.exists(name) for name in each["files"])
    assert store.get("briefings/morning/latest.mp3")

    publish(edition(store, 3), store, {}, BEGIN)
    publish(edition(store, 4), store, {}, BEGIN)
    assert [each["job"] for each in index(store)] == ["job4", "job3", "job2"]
    assert len([key for key in keys(store) if key.startswith("2026-")]) == 6


def test_a_format_that_is_given_up_leaves_no_stale_latest(store: Store) -> None:
    publish(edition(store, 0), store, {}, BEGIN)
    second = edition(store, 1)
    store.delete("jobs/job1/out/programme.vtt")
    publish(second, store, {}, BEGIN)
    assert [key for key in keys(store) if key.startswith("latest")] == ["latest.mp3"]


def test_a_job_without_output_is_an_error(store: Store) -> None:
    first = edition(store, 0)
    for key in list(store.list("jobs/")):
        store.delete(key)
    with pytest.raises(JobFailed, match="no output files"):
        publish(first, store, {}, BEGIN)


def test_what_is_not_the_programme_keeps_its_name(store: Store) -> None:
    first = edition(store, 0)
    store.put("jobs/job0/out/chapters.json", b"[]")
    publish(first, store, {}, BEGIN)
    assert keys(store) == [
        *("2026-11-23-0700.mp3", "2026-11-23-0700.vtt", "2026-11-23-0700/chapters.json"),
        *("index.json", "latest.mp3", "latest.vtt", "latest/chapters.json"),
    ]


@pytest.mark.parametrize(
    ("key", "home", "filled"),
    [
        ("briefings/{name}/{date}-{time}", "briefings/morning", "briefings/morning/2026-11-23-0700"),
        ("{date}/{time}/{name}", "morning", "2026-11-23/0700/morning"),
        ("news/{date}/{time}", "news/morning", "news/2026-11-23/0700"),
    ],
)
def test_keys(write, key: str, home: str, filled: str) -> None:
    head = f'[when]\ncrontab = "0 7 * * *"\n[output]\nstore = "file:///srv"\nkey = "{key}"\n'
    briefing = write(head=head)
    made = edition_of(briefing, BEGIN, compose(briefing, BEGIN, Policy()))
    assert (made.home, made.key) == (home, filled)
    assert Edition.from_json(made.to_json()) == made


def test_the_hour_that_comes_twice_has_two_keys(write) -> None:
    head = '[when]\ncrontab = "*/30 * * * *"\ntime_zone = "America/New_York"\n[output]\nstore = "file:///srv"\n'
    briefing = write(head=head)
    due = datetime(2026, 11, 1, 5, 30, tzinfo=UTC)
    composed = compose(briefing, due, Policy())
    made = [edition_of(briefing, due + timedelta(hours=hour), composed).key[-6:] for hour in (0, 1)]
    assert made == ["1-0130", "0130-2"]


def test_a_podcast_names_the_editions_there_are(store: Store) -> None:
    podcast = {"base_url": "https://cdn.example.jp", "title": "朝", "author": "", "description": "", "image": ""}
    for day in range(5):
        result = {"format": "mp3", "bytes": 15, "duration_seconds": 61.0}
        publish(edition(store, day, podcast=podcast), store, result, BEGIN + timedelta(days=day))
    assert broken(store.get("briefings/morning/feed.xml")) == []
    parsed = feedparser.parse(store.get("briefings/morning/feed.xml"))
    assert not parsed.bozo
    assert [entry.id for entry in parsed.entries] == [
        f"morning/{(BEGIN + timedelta(days=day)).isoformat()}" for day in (4, 3, 2)
    ]
    first = parsed.entries[0]
    assert first.enclosures[0].href == "https://cdn.example.jp/briefings/morning/2026-11-27-0700.mp3"
    assert b"2026-11-27-0700.vtt" in store.get("briefings/morning/feed.xml")
