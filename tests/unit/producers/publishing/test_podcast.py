"""Podcast feeds, read back by a feed reader."""

import json
from datetime import UTC, datetime

import feedparser
import pytest

from koebin.engine.errors import InvalidOption, JobNotFound
from koebin.producers.publishing.narration import publish_narration
from koebin.producers.publishing.podcast import Episode, Show, feed, podcast_chapters, public_url
from koebin.tasks import store_keys
from koebin.tasks.contracts import Manifest, PlannedSpeaker, Result, SegmentCounts, dump
from koebin.tasks.jobs.ledger import State
from koebin.tasks.jobs.outcome import JobOutcome, OutputFile
from koebin.tasks.stores.uri import open_store
from tests.unit.producers.publishing.feed_rules import broken

BASE = "https://cdn.example.jp/声"


def test_a_reader_finds_every_part():
    show = Show(
        "題 & <名>", "https://example.jp/", "https://example.jp/feed.xml", "説明", "著者", "https://example.jp/a.png"
    )
    when = datetime(2026, 11, 23, 7, tzinfo=UTC)
    episode = Episode(
        guid="job/1",
        title="第一話\x07 & <雨>",
        published=when,
        url="https://example.jp/1.mp3",
        media_type="audio/mpeg",
        bytes=123,
        seconds=61.4,
        number=1,
        transcript="https://example.jp/1.vtt",
        chapters="https://example.jp/chapters.json",
    )
    document = feed(show, [episode])
    parsed = feedparser.parse(document)
    assert not parsed.bozo
    assert broken(document) == []
    assert (parsed.feed.title, parsed.feed.language, parsed.feed.author) == ("題 & <名>", "ja", "著者")
    assert parsed.feed.image.href == "https://example.jp/a.png"
    (item,) = parsed.entries
    assert (item.title, item.id, item.itunes_duration) == ("第一話 & <雨>", "job/1", "61")
    (enclosure,) = item.enclosures
    assert (enclosure.href, enclosure.length, enclosure.type) == ("https://example.jp/1.mp3", "123", "audio/mpeg")
    assert datetime(*item.published_parsed[:6], tzinfo=UTC) == when
    assert b'<podcast:transcript url="https://example.jp/1.vtt" type="text/vtt"' in document
    assert b'<podcast:chapters url="https://example.jp/chapters.json" type="application/json+chapters"' in document
    assert document == feed(show, [episode]), "the same podcast is the same feed"


def test_chapters_as_the_namespace_has_them():
    document = json.loads(podcast_chapters([{"number": 1, "start": 0.0, "title": "一"}]))
    assert document == {"version": "1.2.0", "chapters": [{"startTime": 0.0, "title": "一"}]}


@pytest.mark.parametrize("base", ["", "example.jp", "ftp://example.jp", "https://a:b@example.jp", "https://e.jp/?x=1"])
def test_a_base_address_is_public(base):
    with pytest.raises(InvalidOption, match="not a public base address"):
        public_url(base, "a.mp3")


@pytest.mark.parametrize(
    ("base", "address"),
    [
        ("https://example.jp", "https://example.jp/%E9%9B%A8%201.mp3"),
        ("https://example.jp:8443/a%20b/", "https://example.jp:8443/a%20b/%E9%9B%A8%201.mp3"),
        ("http://日本語.jp/声 の", "http://xn--wgv71a119e.jp/%E5%A3%B0%20%E3%81%AE/%E9%9B%A8%201.mp3"),
    ],
)
def test_addresses_have_the_characters_that_they_may(base, address):
    assert public_url(base, "雨 1.mp3") == address


def stored(tmp_path, files, chapters):
    store = open_store(tmp_path.as_uri())
    counts = SegmentCounts(total=1, reused=0)
    manifest = Manifest(
        job="j",
        content="0" * 64,
        created=1_795_000_000.0,
        title="雨の本",
        author="著者",
        chapters=tuple(chapters),
        speakers={"mei": PlannedSpeaker(model_revision="1", sample_rate_hz=48_000)},
        engine_revision="1",
        store=store.uri,
        priority=6,
        chunks=1,
        segments=1,
        characters=1,
        seconds=1.0,
    )
    result = Result(
        uri="x",
        duration_seconds=1,
        sample_rate_hz=48_000,
        bytes=1,
        sha256="",
        format="mp3",
        marks_uri="",
        segments=counts,
    )
    outputs = tuple(
        OutputFile(
            uri=store.url(store_keys.output("j", name)),
            kind=kind,
            format=name.rpartition(".")[2],
            bytes=10,
            sha256="",
            chapter=chapter,
            duration_seconds=5.0,
        )
        for name, kind, chapter in files
    )
    report = {"chapters": [{"number": n, "title": t, "start": 5.0 * n} for n, t in enumerate(chapters, start=1)]}
    outcome = JobOutcome(job="j", state=State.SUCCEEDED, result=result, files=outputs, segments=counts, report=report)
    store.put(store_keys.manifest("j"), dump(manifest))
    store.put(store_keys.result("j"), dump(outcome))
    return store


def read(store, name):
    return store.get(store_keys.output("j", name))


def test_chapters_of_a_narration_are_episodes_the_latest_first(tmp_path):
    files = [
        ("programme.mp3", "audio", 0),
        ("programme-01.flac", "audio", 1),
        ("programme-01.mp3", "audio", 1),
        ("programme-02.mp3", "audio", 2),
        ("programme-01.json", "marks", 1),
        ("programme-01.vtt", "marks", 1),
        ("cover.png", "cover", 0),
    ]
    store = stored(tmp_path, files, ["第一章", "第二章"])
    uri = publish_narration(store, "j", BASE)
    assert uri == store.url(store_keys.output("j", "feed.xml"))
    parsed = feedparser.parse(read(store, "feed.xml"))
    assert [entry.title for entry in parsed.entries] == ["第二章", "第一章"]
    assert [entry.id for entry in parsed.entries] == ["j/2", "j/1"]
    assert broken(read(store, "feed.xml")) == []
    assert parsed.entries[1].enclosures[0].href == "https://cdn.example.jp/%E5%A3%B0/programme-01.mp3"
    assert b"programme-01.vtt" in read(store, "feed.xml")
    assert parsed.feed.image.href.endswith("/cover.png")
    before = read(store, "feed.xml")
    publish_narration(store, "j", BASE)
    assert read(store, "feed.xml") == before


def test_a_narration_in_one_file_is_one_episode_with_chapters(tmp_path):
    store = stored(tmp_path, [("programme.mp3", "audio", 0)], ["一", "二"])
    publish_narration(store, "j", "https://example.jp/a/")
    (entry,) = feedparser.parse(read(store, "feed.xml")).entries
    assert broken(read(store, "feed.xml")) == []
    assert (entry.title, entry.enclosures[0].href) == ("雨の本", "https://example.jp/a/programme.mp3")
    chapters = json.loads(read(store, "podcast-chapters.json"))["chapters"]
    assert [chapter["title"] for chapter in chapters] == ["一", "二"]


def test_a_job_that_is_not_there(tmp_path):
    with pytest.raises(JobNotFound):
        publish_narration(open_store(tmp_path.as_uri()), "j", BASE)
