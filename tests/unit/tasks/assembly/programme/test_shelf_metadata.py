"""Metadata for Audiobookshelf, taken apart again as its scanner does."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from koebin.tasks.assembly.programme import Deliverables
from koebin.tasks.assembly.programme.blocks import Place
from koebin.tasks.assembly.programme.layout import Layout
from koebin.tasks.assembly.programme.shelf_metadata import audiobookshelf
from koebin.tasks.assembly.programme.timeline import Timeline


def document(**wanted: Any) -> dict[str, Any]:
    timeline = Timeline(sample_rate_hz=1_000)
    for place, samples in ((Place(0, "", 1, "mei"), 500), (Place(1, "", 2, "ken"), 1_500)):
        timeline.add(place, samples, 0)
    return json.loads(audiobookshelf(Layout(Deliverables(**wanted), timeline, Path())))


def test_every_author_stands_by_itself() -> None:
    assert document(author="山田花子、佐藤次郎、 山田花子")["authors"] == ["山田花子", "佐藤次郎"]
    assert document(author="夏目漱石")["authors"] == ["夏目漱石"]
    assert document()["authors"] == []


@pytest.mark.parametrize(
    ("series", "volume", "name", "place"),
    [
        ("四季", "2", "四季", "2"),
        ("四季", "第 2 巻", "四季", "第2巻"),
        ("四季  と雨 ", "#1", "四季 と雨", "1"),
        ("四季", "", "四季", None),
        ("C# の本", "3", "C# の本", "3"),
    ],
)
def test_a_series_and_the_place_in_it(series: str, volume: str, name: str, place: str | None) -> None:
    (written,) = document(series=series, volume=volume)["series"]
    found = re.search(r" #([^#\s]+)$", written)
    assert (written[: found.start()] if found else written, found[1] if found else None) == (name, place)
    assert document(series="", volume=volume)["series"] == []


def test_chapters_have_times_and_titles_in_order() -> None:
    chapters = document(title="題")["chapters"]
    assert chapters == [
        {"id": 0, "start": 0.0, "end": 0.5, "title": "題"},
        {"id": 1, "start": 0.5, "end": 2.0, "title": "2"},
    ]
