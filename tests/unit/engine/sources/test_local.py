"""Voices in a folder."""

import threading

import pytest

from koebin.engine.errors import InvalidName, SourceCorrupt, SourceError, SourceNotFound
from koebin.engine.sources.local import LocalSource
from koebin.engine.sources.versions import LOCK
from tests.unit.engine.sources.voices import read, tree, under, write


def test_a_folder_is_used_in_place(tmp_path):
    write(tmp_path, tree())

    assert LocalSource(tmp_path).fetch("onnx/speakers/hana") == tmp_path / "onnx/speakers/hana"


def test_an_empty_prefix_lists_what_is_there(tmp_path):
    write(tmp_path, tree())
    (tmp_path / "onnx/speakers/nobody").mkdir()
    source = LocalSource(tmp_path)

    with pytest.raises(SourceNotFound, match="there is: hana, hane"):
        source.fetch("onnx/speakers/hanna")
    with pytest.raises(SourceNotFound):
        source.fetch("onnx/speakers/nobody")
    with pytest.raises(SourceNotFound, match="there is no such folder"):
        LocalSource(tmp_path / "absent").fetch("x")


@pytest.mark.parametrize("prefix", ["..", "../x", "a/../../x", "*"])
def test_a_prefix_stays_inside(tmp_path, prefix):
    with pytest.raises(InvalidName):
        LocalSource(tmp_path / "root").fetch(prefix)


def test_equal_folders_have_equal_revisions_and_an_upload_keeps_them(tmp_path):
    one, two = (LocalSource(write(tmp_path / name, tree())) for name in ("one", "two"))
    published = LocalSource(tmp_path / "published")
    published.upload("hana", tmp_path / "one/onnx/speakers/hana")

    assert one.revision("onnx/speakers/hana") == two.revision("onnx/speakers/hana") == published.revision("hana")
    assert published.children("hana") == one.children("onnx/speakers/hana")
    assert read(published.fetch("hana")) == under(tree(), "onnx/speakers/hana")
    write(tmp_path / "two", {"onnx/speakers/hana/config.json": b"changed"})
    assert one.revision("onnx/speakers/hana") != two.revision("onnx/speakers/hana")


def test_a_reader_sees_one_version_whole_while_another_is_published(tmp_path):
    versions = [write(tmp_path / str(n), dict.fromkeys("abcdef", b"%d" % n * 50000)) for n in (1, 2)]
    source = LocalSource(tmp_path / "published")
    source.upload("hana", versions[0])
    stop, seen = threading.Event(), set()

    def watch():
        while not stop.is_set():
            seen.add(frozenset(read(source.fetch("hana")).items()))

    watcher = threading.Thread(target=watch)
    watcher.start()
    for turn in range(20):
        source.upload("hana", versions[turn % 2])
    stop.set()
    watcher.join()
    assert seen <= {frozenset(read(version).items()) for version in versions}
    assert not list((tmp_path / "published/hana/.versions").glob(".*"))


def test_hidden_files_and_pickles_are_not_published(tmp_path):
    write(tmp_path / "new", {"config.json": b"{}", "x.pth": b"pickle", ".git/config": b"token", ".env": b"token"})
    source = LocalSource(tmp_path / "published")
    source.upload("hana", tmp_path / "new")

    assert set(read(source.fetch("hana"))) == {"config.json"}
    with pytest.raises(SourceNotFound, match="folder to upload is empty"):
        source.upload("hana", tmp_path / "new/.git/none")


def test_a_damaged_lock_file_is_noticed(tmp_path):
    source = LocalSource(tmp_path)
    source.upload("hana", write(tmp_path / "new", {"config.json": b"{}"}))
    lock = tmp_path / "hana" / LOCK
    lock.write_bytes(lock.read_bytes().replace(b"config.json", b"../../x.json"))

    with pytest.raises(SourceCorrupt):
        source.fetch("hana")


def test_a_folder_that_cannot_be_written_is_an_error_of_ours(tmp_path):
    write(tmp_path, {"published": b"a file, no folder", "new/config.json": b"{}"})

    with pytest.raises(SourceError):
        LocalSource(tmp_path / "published").upload("hana", tmp_path / "new")
