"""Announcements of live workers."""

import json

import pytest

from koebin.engine.audio.formats import FORMATS, writable
from koebin.engine.errors import BackendMissing
from koebin.tasks.broker.fleet import Announcement, Fleet, ServedSpeaker, _announcement, announcement_document


def assembler(name, *formats, assembles=True):
    return Announcement(name, "e1", 1, assembles, (), formats)


def test_a_format_is_refused_that_one_of_those_who_may_be_asked_cannot_write():
    able = assembler("able", "mp3", "m4b")
    for workers in ([], [able], [able, assembler("old")], [able, assembler("speaks", "mp3", assembles=False)]):
        Fleet(tuple(workers)).check_formats(["mp3", "m4b"])
    with pytest.raises(BackendMissing, match=r"cannot write m4b: 'lean'.*choose from mp3, flac"):
        Fleet((able, assembler("lean", "mp3", "flac"))).check_formats(["mp3", "m4b"])


def test_aac_can_be_written_where_av_is_installed(monkeypatch):
    assert writable() == tuple(FORMATS)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert writable() == ("wav", "flac", "mp3", "opus")


def served(name, **more):
    return ServedSpeaker(name, ("Neutral",), 48000, "m1", 4.0, **more)


def test_an_announcement_says_of_a_speaker_what_the_last_release_reads_and_the_rest_beside_it():
    told = Announcement("w", "e1", 1, True, (served("mei", licence="CC BY"), served("ken")), tasks=("t",))
    document = json.loads(announcement_document(told))
    known = {"name", "styles", "sample_rate_hz", "model_revision", "speed_factor"}
    assert [set(speaker) for speaker in document["speakers"]] == [known, known]
    assert list(document["makers"]) == ["mei"]
    assert _announcement(announcement_document(told)) == told


def test_a_job_is_planned_for_workers_of_one_engine():
    old = Announcement("old", "e1", 3, True, (served("mei"),))
    new = Announcement("new", "e2", 1, True, (served("mei"), served("ken")), tasks=("t",))
    both = Fleet((old, new))
    assert both.older() == ["old"]
    assert both.of_one_engine(["mei", "ken"]).workers == (new,)
    assert both.of_one_engine(["mei"]).workers == (old,)
    assert both.of_one_engine(["hina"]).workers == ()
