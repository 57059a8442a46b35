import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from koebin.engine.errors import InvalidInput, InvalidName
from koebin.tasks.stores.uri import canonical_uri, open_store, parse_uri, under_root


@pytest.mark.parametrize(
    ("uri", "canonical"),
    [
        ("s3://voices", "s3://voices"),
        ("s3://voices/", "s3://voices"),
        ("s3://voices/a/b/", "s3://voices/a/b"),
        ("file:///", "file:///"),
        ("file:///srv/audio/", "file:///srv/audio"),
        ("file:///srv//audio", "file:///srv/audio"),
        ("file://localhost/srv/audio", "file:///srv/audio"),
        ("file:///srv/my%20audio", "file:///srv/my%20audio"),
        ("file:///srv/音声", "file:///srv/%E9%9F%B3%E5%A3%B0"),
    ],
)
def test_one_spelling_per_store(uri, canonical):
    assert canonical_uri(uri) == canonical
    assert canonical_uri(canonical) == canonical


@pytest.mark.parametrize(
    "uri",
    [
        "",
        "audio",
        "/srv/audio",
        "http://host/x",
        "gs://bucket/x",
        "s3://",
        "s3:///key",
        "s3://Upper/x",
        "s3://b/x",
        "s3://bucket/a//b",
        "s3://bucket/../x",
        "s3://bucket/a/./b",
        "file://other/srv",
        "file:///srv/../etc",
        "file:///srv/%2e%2e/etc",
        "file:///srv/a%00b",
        "file:///srv\\..\\x",
        "s3://bucket/a\nb",
    ],
)
def test_everything_else_is_refused(uri):
    with pytest.raises(InvalidName):
        parse_uri(uri)


def test_credentials_in_a_uri_are_refused_and_not_repeated():
    with pytest.raises(InvalidName) as caught:
        parse_uri("s3://AKIA:hunter2@bucket/x")
    assert "hunter2" not in repr(caught.value)
    with pytest.raises(InvalidName) as caught:
        parse_uri("https://AKIA:hunter2@bucket/x")
    assert "hunter2" not in repr(caught.value)


@pytest.mark.parametrize(
    ("uri", "inside"),
    [
        ("file:///data", True),
        ("file:///data/", True),
        ("file:///data/books", True),
        ("file:///database", False),
        ("file:///", False),
        ("file:///dat", False),
        ("s3://data", False),
        ("s3://bucket/audio", True),
        ("s3://bucket/audio/x", True),
        ("s3://bucket/audiobooks", False),
        ("s3://bucket", False),
        ("s3://bucket2/audio", False),
    ],
)
def test_a_root_covers_itself_and_what_lies_below(uri, inside):
    assert under_root(uri, ["file:///data", "s3://bucket/audio"]) is inside


def test_a_link_out_of_a_root_is_outside(tmp_path):
    root, elsewhere = tmp_path / "root", tmp_path / "elsewhere"
    root.mkdir()
    elsewhere.mkdir()
    os.symlink(elsewhere, root / "link")
    assert under_root((root / "plain").as_uri(), [root.as_uri()])
    assert not under_root((root / "link").as_uri(), [root.as_uri()])
    assert not under_root((root / "link" / "deeper").as_uri(), [root.as_uri()])


def test_no_roots_allow_nothing():
    assert not under_root("file:///data", [])


@given(st.text(max_size=40))
def test_any_text_gives_a_canonical_uri_or_our_error(text):
    for uri in (text, "s3://" + text, "file:///" + text):
        try:
            found = canonical_uri(uri)
        except InvalidInput:
            continue
        assert canonical_uri(found) == found
        assert ".." not in found.split("/")


def test_opening_contacts_nothing(tmp_path):
    assert open_store((tmp_path / "new").as_uri()).uri == (tmp_path / "new").as_uri()
    assert not (tmp_path / "new").exists()
    assert open_store("s3://no-such-bucket-anywhere/x/").uri == "s3://no-such-bucket-anywhere/x"
