"""Texts that people read: nothing in it steers a terminal or a log, and no address shows a secret."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from koebin.engine.display import escaped, json_text, mask, mask_text, shown
from koebin.engine.errors import InvalidOption

STEERING = "\x1b]0;owned\x07\r\n\x9b2J\u202e\u2066\ud800\U000e0041\x7f"


@pytest.mark.parametrize(
    ("url", "seen"),
    [
        ("sentinel://:A@h:1;sentinel://:B@h:2/0", "sentinel://***@h:1;sentinel://***@h:2/0"),
        ("sentinel://h:1;:B@h:2/0#m", "sentinel://h:1;sentinel://***@h:2/0"),
        ("redis://:pa;ss@h/0", "redis://***@h/0"),
        ("redis://:se#cret@h:1/2", "redis://***@h:1/2"),
        ("redis://:se/cret@h", "redis://***@h"),
        ("redis://u:1/hunter2@h", "redis://***@h"),
        ("redis://u:hunter2", "redis://***"),
        ("rediss://:pw@host:1/2?password=pw", "rediss://***@host:1/2"),
        ("redis://[::1]:6379/0", "redis://[::1]:6379/0"),
        ("unix://:pw@/run/r.sock?db=1", "unix://***@/run/r.sock"),
        ("https://example.jp/feed?key=pw#pw", "https://example.jp/feed?***"),
        ("https://example.jp/@name/feed", "https://example.jp/@name/feed"),
        ("https://u:pw@example.jp/x", "https://***@example.jp/x"),
        ("s3://u:pw@bucket/a", "s3://***@bucket/a"),
        ("s3://bucket/a@b?c#d", "s3://bucket/a@b?c#d"),
        ("file:///home/me@here/out", "file:///home/me@here/out"),
        ("hf://user/voices@main", "hf://user/voices@main"),
        ("pw", "***"),
        ("", ""),
    ],
)
def test_an_address_is_seen_without_its_secrets(url: str, seen: str) -> None:
    assert mask(url) == seen


@given(st.text(st.characters(exclude_characters="@", exclude_categories=("Cs",)), min_size=4).map("9{}".format))
def test_no_password_is_seen_whatever_it_holds(password: str) -> None:
    assert mask(f"redis://user:{password}@host:6379/0") == "redis://***@host:6379/0"


def test_addresses_within_a_text_are_masked() -> None:
    text = "asked (https://u:pw@h.jp/x?token=pw), then 'redis://:pw@h:1/0': 終わり"
    assert mask_text(text) == "asked (https://***@h.jp/x?***), then 'redis://***@h:1/0': 終わり"


def test_what_steers_is_written_out() -> None:
    assert escaped(STEERING) == r"\x1b]0;owned\x07\r\n\x9b2J\u202e\u2066\ud800\U000e0041\x7f"
    assert escaped("愛👨‍👩‍👧を　込めて") == "愛👨‍👩‍👧を　込めて"


def test_json_for_programs_holds_nothing_that_steers_and_loses_nothing() -> None:
    written = json_text({"title": STEERING, "more": [1]}, indent=2)
    assert written.count("\n") == 5
    assert escaped(written.replace("\n", "")) == written.replace("\n", "")
    assert json.loads(written) == {"title": STEERING, "more": [1]}


def test_an_error_is_one_line_without_secrets_however_it_is_shown() -> None:
    error = InvalidOption(f"refused {STEERING}", "redis://:hunter2@h/0", "Use https://u:hunter2@h/?k=hunter2")
    for seen in (str(error), repr(error), shown(str(error))):
        assert "hunter2" not in seen
        assert escaped(seen) == seen
