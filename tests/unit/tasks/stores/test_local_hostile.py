"""A folder in which others write, too: nothing of theirs is followed, waited for, or read without an end."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from koebin.engine.errors import StoreDenied, StoreError
from koebin.tasks.settings import Settings
from koebin.tasks.stores import local
from koebin.tasks.stores.local import TEMPORARY, LocalStore
from koebin.tasks.stores.uri import open_store


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    (tmp_path / "store").mkdir()
    return LocalStore(tmp_path / "store")


def test_a_fifo_is_refused_and_not_waited_for(store: LocalStore, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "store" / "a.json")
    for read in (store.get, store.find, lambda key: store.get_range(key, 0, 1)):
        with pytest.raises(StoreDenied, match="no regular file"):
            read("a.json")
    with pytest.raises(StoreDenied, match="no regular file"):
        store.download("a.json", tmp_path / "copy")
    assert not (tmp_path / "copy").exists()


def test_the_folder_of_unfinished_files_is_not_followed_if_it_is_a_link(store: LocalStore, tmp_path: Path) -> None:
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    (theirs / "kept").write_text("")
    (tmp_path / "store" / TEMPORARY).symlink_to(theirs)
    with pytest.raises(StoreDenied, match="unfinished"):
        store.put("a.json", b"")
    with pytest.raises(StoreDenied, match="unfinished"):
        store.sweep_temporary(-1)
    assert [path.name for path in theirs.iterdir()] == ["kept"]


def test_an_object_without_an_end_is_not_read_whole(
    store: LocalStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local, "STORE_OBJECT_BYTES", 10)
    store.put("a", b"0123456789")
    assert store.get("a") == b"0123456789"
    (tmp_path / "store" / "a").write_bytes(b"0123456789+")
    with pytest.raises(StoreError, match="too large"):
        store.get("a")


DOCUMENTS = ("jobs/1/manifest.json", "jobs/1/chunks/000000.json", "segments/ab/abababab.json", "dictionaries/ab.json")
DELIVERABLES = ("jobs/1/out/book.mp3", "texts/ab/abababab.wav", "briefings/hourly/latest.mp3")


def mode(folder: Path, key: str) -> int:
    return stat.S_IMODE((folder / key).stat().st_mode)


def test_texts_are_for_their_owner_and_deliverables_as_the_umask_says(store: LocalStore, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(b"sound")
    before = os.umask(0o027)
    try:
        for key in (*DOCUMENTS, *DELIVERABLES[:2]):
            store.put(key, b"text")
        store.put_file(DELIVERABLES[2], source)
    finally:
        os.umask(before)
    assert {mode(tmp_path / "store", key) for key in DOCUMENTS} == {0o600}
    assert {mode(tmp_path / "store", key) for key in DELIVERABLES} == {0o640}


def test_both_modes_can_be_chosen(tmp_path: Path) -> None:
    settings = Settings(store_document_mode="660", store_file_mode="0644", store=tmp_path.as_uri())
    store = open_store(settings.store_uri(), options=settings.store_options())
    before = os.umask(0o077)
    try:
        store.put(DOCUMENTS[0], b"text")
        store.put(DELIVERABLES[0], b"sound")
    finally:
        os.umask(before)
    assert (mode(tmp_path, DOCUMENTS[0]), mode(tmp_path, DELIVERABLES[0])) == (0o660, 0o644)
