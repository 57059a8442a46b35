"""Announcements of live workers."""

import pytest

from koebin.engine.audio.formats import FORMATS, writable
from koebin.engine.errors import BackendMissing
from koebin.tasks.broker.fleet import Announcement, Fleet


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
