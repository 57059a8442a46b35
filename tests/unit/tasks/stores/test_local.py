import errno
import os
import stat
import tempfile
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from koebin.engine.errors import (
    InvalidName,
    InvalidOption,
    KoebinError,
    StoreDenied,
    StoreError,
    StoreFull,
    StoreNotFound,
    StoreUnavailable,
)
from koebin.tasks.stores import local
from koebin.tasks.stores.base import MAX_KEY_BYTES, check_key, content_type_of
from koebin.tasks.stores.local import TEMPORARY, LocalStore
from koebin.tasks.stores.uri import parse_uri


@pytest.fixture
def store(tmp_path):
    return LocalStore(tmp_path / "store")


def files_below(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_the_first_write_wins(store, tmp_path):
    assert store.put("segments/ab/abcd.json", b"first")
    assert not store.put("segments/ab/abcd.json", b"second")
    assert store.get("segments/ab/abcd.json") == b"first"
    assert store.put("segments/ab/abcd.json", b"third", if_absent=False)
    assert store.get("segments/ab/abcd.json") == b"third"
    assert files_below(tmp_path / "store") == ["segments/ab/abcd.json"]


def test_a_lost_race_between_the_look_and_the_link(store, monkeypatch):
    make_folder = local._make_folder

    def other_writer(folder):
        make_folder(folder)
        if folder.name == "ab":
            (folder / "x").write_bytes(b"theirs")

    monkeypatch.setattr(local, "_make_folder", other_writer)
    assert not store.put("ab/x", b"ours")
    assert store.get("ab/x") == b"theirs"


def test_files_go_in_and_out(store, tmp_path):
    source = tmp_path / "long.wav"
    source.write_bytes(os.urandom(3 << 20))
    assert store.put_file("jobs/1/out/long.wav", source)
    assert not store.put_file("jobs/1/out/long.wav", source, if_absent=True)
    store.download("jobs/1/out/long.wav", tmp_path / "copy.wav")
    assert (tmp_path / "copy.wav").read_bytes() == source.read_bytes()
    assert files_below(tmp_path) == ["copy.wav", "long.wav", "store/jobs/1/out/long.wav"]


def test_a_file_that_is_given_becomes_the_object(store, tmp_path):
    source = tmp_path / "book.flac"
    source.write_bytes(b"first")
    store.put("out/book.flac", b"before")
    assert store.put_file("out/book.flac", source, given=True)
    assert (tmp_path / "store" / "out" / "book.flac").samefile(source), "nothing was copied"
    source.unlink()
    assert store.get("out/book.flac") == b"first"
    assert files_below(tmp_path) == ["store/out/book.flac"]


def test_what_is_not_there(store, tmp_path):
    assert store.head("a") is None
    assert not store.exists("a")
    assert list(store.list()) == []
    assert store.sweep_temporary(0) == 0
    store.delete("a")
    with pytest.raises(StoreNotFound):
        store.get("a")
    with pytest.raises(StoreNotFound):
        store.download("a", tmp_path / "a")
    assert files_below(tmp_path) == []


def test_head_tells_size_and_age_and_content(store):
    store.put("a", b"123")
    first = store.head("a")
    assert (first.size, abs(first.modified - time.time()) < 10) == (3, True)
    store.put("a", b"456", if_absent=False)
    assert store.head("a").etag != first.etag


def test_listing_takes_a_prefix_of_the_key(store, tmp_path):
    for key in ("jobs/1/done/0.json", "jobs/1/done/10.json", "jobs/12/done/0.json", "segments/ab/x"):
        store.put(key, b"")
    (tmp_path / "store" / TEMPORARY / "left").write_bytes(b"")
    assert sorted(store.list("jobs/1/")) == ["jobs/1/done/0.json", "jobs/1/done/10.json"]
    assert sorted(store.list("jobs/1")) == ["jobs/1/done/0.json", "jobs/1/done/10.json", "jobs/12/done/0.json"]
    assert sorted(store.list("segments/ab/x")) == ["segments/ab/x"]
    assert len(list(store.list())) == 4
    assert list(store.list("nothing/here")) == []


def test_deleting_takes_empty_folders_with_it(store, tmp_path):
    store.put("jobs/1/done/0.json", b"")
    store.put("jobs/2", b"")
    store.delete("jobs/1/done/0.json")
    assert not (tmp_path / "store/jobs/1").exists()
    assert store.exists("jobs/2")


@pytest.mark.parametrize(
    "key",
    ["", "/etc/passwd", "..", "a/../b", "a/..", "./a", "a//b", "a/", "a\\b", "a\nb", "a\0b", "x" * 256, "é" * 130,
     "/".join("abcdefghij" for _ in range(MAX_KEY_BYTES)), "\udcff", f"{TEMPORARY}/x"],
)  # fmt: skip
def test_no_key_escapes(store, key, tmp_path):
    with pytest.raises(InvalidName) as caught:
        store.put(key, b"x")
    str(caught.value).encode()
    with pytest.raises(InvalidName):
        store.get(key)
    assert files_below(tmp_path) == []


KEYS = st.text(st.sampled_from("ab夢/.\\ \n\0~%#?*\u202e\ud800") | st.characters(), min_size=1, max_size=30)


@settings(deadline=None, max_examples=150)
@given(KEYS)
def test_any_key_is_kept_as_it_is_or_refused(key):
    with tempfile.TemporaryDirectory() as name:
        store = LocalStore(Path(name) / "store")
        try:
            store.put(key, key.encode(errors="replace"))
        except InvalidName as error:
            str(error).encode()
            assert files_below(Path(name)) == []
            return
        assert list(store.list()) == [key]
        assert store.get(key) == key.encode(errors="replace")
        assert parse_uri(store.url(key)).folder == Path(name).resolve() / "store" / key


def test_no_link_leads_out(store, tmp_path):
    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / "file").write_bytes(b"secret")
    store.put("a/b", b"x")
    os.symlink(secret, tmp_path / "store/out")
    os.symlink(secret / "file", tmp_path / "store/a/file")
    for attempt in (
        lambda: store.get("out/file"),
        lambda: store.get("a/file"),
        lambda: store.put("out/new", b"x"),
        lambda: store.put("a/file", b"x", if_absent=False),
        lambda: store.head("out/file"),
        lambda: store.delete("out/file"),
        lambda: list(store.list("out/")),
    ):
        with pytest.raises(StoreDenied, match="link"):
            attempt()
    assert list(store.list()) == ["a/b"]
    assert files_below(secret) == ["file"]


def test_a_link_inside_the_store_is_followed(store, tmp_path):
    store.put("real/a", b"x")
    os.symlink(tmp_path / "store/real", tmp_path / "store/alias")
    assert store.get("alias/a") == b"x"


def test_folder_and_file_do_not_share_a_name(store):
    store.put("a", b"")
    with pytest.raises(StoreDenied, match="folder"):
        store.put("a/b", b"")
    store.put("c/d", b"")
    with pytest.raises(StoreDenied, match="folder"):
        store.put("c", b"")
    assert store.get("a") == b""


def test_the_root_is_a_file(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    store = LocalStore(tmp_path / "file")
    with pytest.raises(StoreDenied):
        store.put("a", b"")
    assert [finding.ok for finding in store.probe()] == [False]


def test_a_failing_write_leaves_nothing(store, tmp_path, monkeypatch):
    def broken(descriptor):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "fsync", broken)
    with pytest.raises(StoreUnavailable):
        store.put("a/b", b"data")
    assert files_below(tmp_path) == []


def test_a_file_system_without_hard_links(store, monkeypatch):
    def refused(source, target):
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", refused)
    assert store.put("a", b"first")
    assert not store.put("a", b"second")
    assert store.get("a") == b"first"
    findings = store.probe()
    assert all(finding.ok for finding in findings)
    assert "no hard links" in findings[1].detail


def test_temporary_files_carry_job_and_time_and_are_swept_when_old(store, tmp_path):
    name = store._temporary("jobs/42/out/book.m4b").name
    assert name.startswith("jobs~42~out~book.m4b.")
    assert abs(int(name.split(".")[2]) - time.time()) < 10
    folder = tmp_path / "store" / TEMPORARY
    folder.mkdir(parents=True)
    for age, name in ((7200, "old"), (5, "young")):
        (folder / name).write_bytes(b"x")
        os.utime(folder / name, (time.time() - age,) * 2)
    assert store.sweep_temporary(3600) == 1
    assert files_below(tmp_path) == [f"store/{TEMPORARY}/young"]


def test_probe_writes_reads_and_cleans_up(store, tmp_path):
    findings = store.probe()
    assert [finding.ok for finding in findings] == [True, True]
    assert "GB free" in findings[0].detail
    assert files_below(tmp_path) == []


def test_urls(store, tmp_path):
    assert store.url("jobs/1/out/夢.m4b") == (tmp_path / "store/jobs/1/out/夢.m4b").as_uri()
    assert repr(store) == f"LocalStore({(tmp_path / 'store').as_uri()!r})"
    with pytest.raises(InvalidOption, match="cannot sign URLs"):
        store.presign("a", 60)


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        (errno.ENOSPC, StoreFull),
        (errno.EDQUOT, StoreFull),
        (errno.EACCES, StoreDenied),
        (errno.EROFS, StoreDenied),
        (errno.ENOENT, StoreNotFound),
        (errno.ESTALE, StoreUnavailable),
        (errno.ENAMETOOLONG, InvalidName),
        (errno.EINVAL, StoreError),
    ],
)
def test_every_system_error_becomes_one_of_ours(number, kind, tmp_path):
    with pytest.raises(KoebinError) as caught, local.translated(tmp_path):
        raise OSError(number, os.strerror(number))
    assert type(caught.value) is kind
    assert caught.value.value == str(tmp_path)


def test_keys_as_they_are_used_are_accepted():
    for key in ("segments/ab/" + "ab" * 32 + ".flac", "jobs/夢十夜/out/第一夜.opus", "a"):
        assert check_key(key) == key


def test_content_types():
    assert content_type_of("a/b.FLAC") == "audio/flac"
    assert content_type_of("a/b.m4b") == "audio/mp4"
    assert content_type_of("a/b.txt") == "text/plain"
    assert content_type_of("a.b/c") == "application/octet-stream"


def test_a_file_system_whose_folders_cannot_be_synced(tmp_path, monkeypatch):
    sync = os.fsync

    def no_folders(descriptor):
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "Invalid argument")
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", no_folders)
    store = LocalStore(tmp_path)
    assert store.put("a/b", b"1")
    assert store.get("a/b") == b"1"


@pytest.mark.parametrize("if_absent", [True, False])
def test_a_folder_of_objects_that_is_another_file_system(tmp_path, monkeypatch, if_absent):
    rename = os.replace

    def no_link(*_):
        raise OSError(errno.EXDEV, "Invalid cross-device link")

    def replace(source, target):
        if ".koebin-tmp" in str(source):
            no_link()
        rename(source, target)

    monkeypatch.setattr(os, "link", no_link)
    monkeypatch.setattr(os, "replace", replace)
    store = LocalStore(tmp_path)
    assert store.put("segments/a", b"1", if_absent=if_absent)
    assert store.get("segments/a") == b"1"
    assert [path.name for path in (tmp_path / "segments").iterdir()] == ["a"]
    assert list(store.list()) == ["segments/a"]
