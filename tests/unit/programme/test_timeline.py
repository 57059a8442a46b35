"""Places of parts and chapters."""

import pytest

from engine.errors import InferenceFailed, InvalidInput
from engine.marks import Mark, Marks
from tasks.programme.parts import Part
from tasks.programme.timeline import Slot, Span, Timeline

PARTS = [
    Part(b"", "一。", pause_after=0.5, chapter=0, chapter_title="序", speaker="mei"),
    Part(b"", "二。", pause_after=1.0, chapter=0, chapter_title="序", speaker="ken"),
    Part(b"", "三。", chapter=2, chapter_title="終", speaker="mei"),
]


def timeline() -> Timeline:
    grown = Timeline(sample_rate_hz=1_000)
    for part, spoken in zip(PARTS, (100, 200, 300), strict=True):
        grown.add(part, spoken)
    return grown


def test_parts_follow_each_other_with_their_pauses() -> None:
    assert list(timeline().slots()) == [Slot(0, 100, 600), Slot(600, 200, 1_800), Slot(1_800, 300, 2_100)]
    assert (len(timeline()), timeline().frames, timeline().duration_seconds) == (3, 2_100, 2.1)


def test_chapters_have_no_gaps_and_speakers_their_order() -> None:
    assert timeline().chapters == [Span("序", 0, 1_800), Span("終", 1_800, 2_100)]
    assert timeline().speakers == ["mei", "ken"]


def test_marks_are_shifted_to_their_place() -> None:
    sentences = [marks.sentences[0] for _, _, marks in timeline().with_parts(lambda: iter(PARTS))]
    assert [(mark.text, mark.start, mark.end) for mark in sentences] == [
        ("一。", 0.0, 0.1),
        ("二。", 0.6, pytest.approx(0.8)),
        ("三。", 1.8, pytest.approx(2.1)),
    ]
    assert Marks((Mark("一。", 0.0, 0.1, "mei"),)).sentences[0] == sentences[0]


@pytest.mark.parametrize("again", [PARTS[:2], [*PARTS, PARTS[2]]])
def test_other_parts_in_the_second_pass_are_noticed(again: list[Part]) -> None:
    with pytest.raises(InferenceFailed, match="have changed"):
        list(timeline().with_parts(lambda: iter(again)))


def test_refuses_chapters_out_of_order() -> None:
    grown = timeline()
    with pytest.raises(InvalidInput, match="line 9: a part belongs to an earlier chapter"):
        grown.add(Part(b"", "四。", chapter=1, line=9), 10)


def test_an_empty_timeline() -> None:
    assert (Timeline().frames, Timeline().duration_seconds, len(Timeline())) == (0, 0.0, 0)
