"""Bytes that a Range header asks for."""

from __future__ import annotations

import pytest

from koebin.producers.http.ranges import span_of


@pytest.mark.parametrize(
    ("wanted", "span"),
    [
        ("", (0, 99)),
        ("bytes=0-9", (0, 9)),
        ("bytes=90-", (90, 99)),
        ("bytes=-10", (90, 99)),
        ("bytes=-1000", (0, 99)),
        ("bytes=50-1000", (50, 99)),
        ("bytes=99-99", (99, 99)),
        ("bytes=100-", None),
        ("bytes=-0", None),
        ("bytes=9-5", (0, 99)),
        ("bytes=0-1,5-6", (0, 99)),
        ("bytes=-", (0, 99)),
        ("items=0-1", (0, 99)),
    ],
)
def test_spans(wanted: str, span: tuple[int, int] | None) -> None:
    assert span_of(wanted, 100) == span
