"""The revision of the engine."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from koebin.engine import revision


@pytest.fixture(autouse=True)
def _uncached() -> Iterator[None]:
    revision.engine_revision.cache_clear()
    yield
    revision.engine_revision.cache_clear()


def test_it_is_short_and_stays_the_same() -> None:
    first = revision.engine_revision()
    revision.engine_revision.cache_clear()
    assert revision.engine_revision() == first
    assert re.fullmatch("[0-9a-f]{16}", first)


def test_it_changes_with_our_own_arithmetic_and_with_the_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = {revision.engine_revision()}
    monkeypatch.setattr(revision, "SOURCE_VERSION", revision.SOURCE_VERSION + 1)
    revision.engine_revision.cache_clear()
    seen.add(revision.engine_revision())
    monkeypatch.setattr(revision, "version", lambda package: f"{package} 999")
    revision.engine_revision.cache_clear()
    seen.add(revision.engine_revision())
    assert len(seen) == 3
