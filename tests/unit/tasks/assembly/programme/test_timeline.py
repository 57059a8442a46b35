"""Places of parts and chapters."""

import pytest

from koebin.engine.errors import InvalidInput
from koebin.tasks.assembly.programme.blocks import Place
from koebin.tasks.assembly.programme.timeline import Slot, Span, Timeline

PLACES = [Place(0, "序", 1, "mei"), Place(0, "序", 2, "ken"), Place(2, "終", 3, "mei")]


def timeline() -> Timeline:
    grown = Timeline(sample_rate_hz=1_000)
    for place, spoken, silence in zip(PLACES, (100, 200, 300), (500, 1_000, 0), strict=True):
        grown.add(place, spoken, silence)
    return grown


def test_parts_follow_each_other_with_their_pauses() -> None:
    assert list(timeline().slots()) == [Slot(0, 100, 600), Slot(600, 200, 1_800), Slot(1_800, 300, 2_100)]
    assert (len(timeline()), timeline().samples, timeline().duration_seconds) == (3, 2_100, 2.1)


def test_chapters_have_no_gaps_and_speakers_their_order() -> None:
    assert timeline().chapters == [Span("序", 0, 1_800), Span("終", 1_800, 2_100)]
    assert timeline().speakers == ["mei", "ken"]


def test_refuses_chapters_out_of_order() -> None:
    grown = timeline()
    with pytest.raises(InvalidInput, match="line 9: a part belongs to an earlier chapter"):
        grown.add(Place(1, "二", 9), 10, 0)


def test_an_empty_timeline() -> None:
    assert (Timeline(1).samples, Timeline(1).duration_seconds, len(Timeline(1))) == (0, 0.0, 0)
