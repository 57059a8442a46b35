"""Garbage collection with a real Redis, real files, and a submission in between."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import pytest
from redis import Redis

from koebin.engine.errors import InvalidMessage, InvalidOption
from koebin.engine.text.dictionary import Dictionary, Entry
from koebin.producers.commands.gc import retention
from koebin.tasks import redis_keys, store_keys
from koebin.tasks.broker.delayed_messages import Message
from koebin.tasks.contracts import ChunkDocument, PlannedSpeaker, dump, parse_json
from koebin.tasks.jobs.garbage_collection import remove, storage, survey
from koebin.tasks.jobs.ledger import Ledger, State
from koebin.tasks.jobs.outcome import JobOutcome
from koebin.tasks.jobs.planning import Target
from koebin.tasks.jobs.submission import JobOptions, submit
from koebin.tasks.script import Passage, Script
from koebin.tasks.stores.base import Store, StoreOptions
from koebin.tasks.stores.uri import open_store
from tests.servers.s3 import S3Server
from tests.servers.waiting import PATIENCE

DAY = 86400.0
TARGETS = {"mei": Target(PlannedSpeaker(model_revision="m1", sample_rate_hz=48000), "e1", ("Neutral",), 1.0)}
WORDS = Dictionary([Entry("声便", "コエビン", 2)])


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return open_store(tmp_path.as_uri())


def no_send(message: Message) -> None:
    raise AssertionError(f"nobody serves {message.queue}")


def enter(redis: Redis, store: Store, job: str, *texts: str) -> list[str]:
    """Submit a job and put its segments there, as if they had been spoken; returns their keys."""
    script = Script([Passage(text, "mei") for text in texts], dictionary=WORDS)
    submit(redis, store, no_send, job, script, JobOptions(), TARGETS)
    names = []
    for key in store.list(f"jobs/{job}/chunks/0"):
        names += [segment.segment.key for segment in parse_json(ChunkDocument, store.get(key)).segments]
    for name in names:
        store.put(store_keys.segment_marks(name), b"{}")
        store.put(store_keys.segment_audio(name), b"audio")
    return names


def end(redis: Redis, store: Store, job: str) -> None:
    store.put(store_keys.result(job), dump(JobOutcome(job=job, state=State.SUCCEEDED)))
    Ledger(redis).end(job, State.SUCCEEDED)


def age(folder: Path, days: float) -> None:
    """Everything that is there was written so long ago."""
    then = time.time() - days * DAY
    for path in folder.rglob("*"):
        if path.is_file():
            os.utime(path, (then, then))


def test_an_old_job_goes_with_what_only_it_needs(redis: Redis, store: Store, tmp_path: Path) -> None:
    only_old, shared = enter(redis, store, "old", "古い文です。", "同じ文です。")
    end(redis, store, "old")
    store.put("texts/ab/abc.flac", b"text")
    store.put("pieces/ab/abc.frames", b"frames")
    age(tmp_path, 40)
    store.put("pieces/cd/cde.frames", b"young frames")
    (again,) = enter(redis, store, "live", "同じ文です。")
    assert again == shared
    found = survey(store, redis, 30 * DAY)
    assert [one.name for one in found.unneeded if one.kind == "job"] == ["old"]
    assert [one.name for one in found.unneeded if one.kind == "segment"] == [only_old]
    assert (found.kept_jobs, found.kept_segments) == (1, 1)
    assert store.exists(store_keys.manifest("old")), "a survey removes nothing"
    count, size = remove(store, redis, found)
    assert (count, size) == (4, sum(one.bytes for one in found.unneeded))
    assert not list(store.list("jobs/old/"))
    assert not list(store.list("texts/"))
    assert list(store.list("pieces/")) == ["pieces/cd/cde.frames"]
    assert set(store.list("segments/")) == {store_keys.segment_audio(shared), store_keys.segment_marks(shared)}
    assert list(store.list("dictionaries/")) == [store_keys.dictionary(WORDS.revision)]
    assert Ledger(redis).state("old") is None
    assert Ledger(redis).state("live") is State.RUNNING
    assert not redis.exists(redis_keys.COLLECTING)


def test_what_is_young_stays(redis: Redis, store: Store, tmp_path: Path) -> None:
    enter(redis, store, "young", "新しい文です。")
    end(redis, store, "young")
    store.put(store_keys.segment_audio("ab" * 32), b"of no job")
    store.put("jobs/@of another program/file", b"not ours")
    store.put("segments/notes.txt", b"not ours")
    age(tmp_path, 10)
    assert survey(store, redis, 30 * DAY).unneeded == ()
    assert len(survey(store, redis, 5 * DAY).unneeded) == 4
    age(tmp_path, 0)
    assert survey(store, redis, 0.0).unneeded == (), "the margin holds whatever the retention"


def test_unfinished_jobs_stay_for_ever(redis: Redis, store: Store, tmp_path: Path) -> None:
    (name,) = enter(redis, store, "lost", "終わっていない文です。")
    redis.flushall()
    age(tmp_path, 400)
    found = survey(store, redis, DAY)
    assert found.unneeded == ()
    assert found.unfinished == ("lost",)
    assert store.exists(store_keys.segment_audio(name))


def test_a_submission_that_died_goes(redis: Redis, store: Store, tmp_path: Path) -> None:
    enter(redis, store, "dead", "途中の文です。")
    store.delete(store_keys.manifest("dead"))
    redis.flushall()
    assert survey(store, redis, DAY).unneeded == ()
    age(tmp_path, 2)
    kinds = sorted(one.kind for one in survey(store, redis, DAY).unneeded)
    assert kinds == ["dictionary", "job", "segment"]


def test_a_job_that_comes_after_the_survey_keeps_its_segments(redis: Redis, store: Store, tmp_path: Path) -> None:
    kept, gone = enter(redis, store, "old", "また使う文です。", "もう使わない文です。")
    end(redis, store, "old")
    age(tmp_path, 40)
    found = survey(store, redis, 30 * DAY)
    enter(redis, store, "new", "また使う文です。")
    remove(store, redis, found)
    assert store.exists(store_keys.segment_audio(kept))
    assert not store.exists(store_keys.segment_audio(gone))
    assert store.exists(store_keys.dictionary(WORDS.revision))


def test_nothing_is_removed_during_a_submission(redis: Redis, store: Store, tmp_path: Path) -> None:
    (name,) = enter(redis, store, "old", "古い文です。")
    end(redis, store, "old")
    age(tmp_path, 40)
    found = survey(store, redis, 30 * DAY)
    redis.set("koebin:submitting:other", "1")
    thread = threading.Thread(target=remove, args=(store, redis, found))
    thread.start()
    time.sleep(0.3)
    assert store.exists(store_keys.segment_audio(name))
    redis.delete("koebin:submitting:other")
    thread.join(PATIENCE)
    assert not store.exists(store_keys.segment_audio(name))


def test_a_submission_waits_for_a_removal(redis: Redis, store: Store) -> None:
    redis.set(redis_keys.COLLECTING, "1")
    thread = threading.Thread(target=enter, args=(redis, store, "waiting", "待つ文です。"))
    thread.start()
    time.sleep(0.3)
    assert not list(store.list("jobs/waiting/"))
    redis.delete(redis_keys.COLLECTING)
    thread.join(PATIENCE)
    assert store.exists(store_keys.manifest("waiting"))


def test_an_s3_store_is_tidied_alike(redis: Redis, s3_server: S3Server) -> None:
    options = StoreOptions(
        s3_server.endpoint,
        s3_server.region,
        access_key_id=s3_server.access_key,
        secret_access_key=s3_server.secret_key,
    )
    store = open_store(f"s3://{s3_server.bucket()}/audio", options=options)
    old = enter(redis, store, "old", "古い文です。", "同じ文です。")
    end(redis, store, "old")
    enter(redis, store, "live", "同じ文です。")
    found = survey(store, redis, 30 * DAY, now=time.time() + 40 * DAY)
    assert remove(store, redis, found)[0] == 2
    assert set(store.list("segments/")) == {store_keys.segment_audio(old[1]), store_keys.segment_marks(old[1])}
    assert not list(store.list("jobs/old/"))


def test_a_damaged_document_stops_everything(redis: Redis, store: Store, tmp_path: Path) -> None:
    enter(redis, store, "j", "文です。")
    store.put(store_keys.chunk("j", 0), b"{", if_absent=False)
    age(tmp_path, 40)
    with pytest.raises(InvalidMessage):
        survey(store, redis, DAY)


def test_storage_of_a_job(redis: Redis, store: Store) -> None:
    enter(redis, store, "j", "一つ。", "二つ。")
    own = sum(len(store.get(key)) for key in store.list("jobs/j/"))
    assert storage(store, "j") == (own, 0)
    assert storage(store, "j", with_segments=True) == (own, 2 * (len(b"audio") + len(b"{}")))


@pytest.mark.parametrize(
    ("text", "seconds"), [("12h", DAY / 2), ("30d", 30 * DAY), ("2w", 14 * DAY), ("1.5d", 1.5 * DAY)]
)
def test_retentions(text: str, seconds: float) -> None:
    assert retention(text) == seconds


@pytest.mark.parametrize("text", ["", "0d", "30", "-3d", "d", "10s", "999999d"])
def test_retentions_that_are_none(text: str) -> None:
    with pytest.raises(InvalidOption):
        retention(text)
