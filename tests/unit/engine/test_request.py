"""Requests: one sentence each, with its own readings; options replaced by name."""

from __future__ import annotations

import pytest

from engine.content import Reading
from engine.errors import InvalidOption
from engine.options import SynthesisOptions
from engine.request import Request, merge_options, split_request


def test_readings_follow_their_sentence() -> None:
    text = "山田です。\n山田さんと山田へ。"
    readings = (Reading(0, 2, "サンデン"), Reading(11, 13, "ヤマタ", 0))
    first, second = split_request(Request(text, SynthesisOptions(speed=2.0), readings))
    assert (first.text, first.readings) == ("山田です。", (Reading(0, 2, "サンデン"),))
    assert (second.text, second.readings) == ("山田さんと山田へ。", (Reading(5, 7, "ヤマタ", 0),))
    assert first.options.speed == second.options.speed == 2.0


@pytest.mark.parametrize("reading", [Reading(1, 5, "ア"), Reading(90, 91, "ア")])
def test_a_reading_outside_of_the_sentences_is_refused(reading: Reading) -> None:
    with pytest.raises(InvalidOption, match="within one sentence"):
        split_request(Request("はい。そうです。", readings=(reading,)))


def test_options_are_replaced_by_name() -> None:
    options = SynthesisOptions(speed=1.5, style="Happy")
    assert merge_options(options, {"speed": 2.0}) == SynthesisOptions(speed=2.0, style="Happy")
    assert merge_options(None, {}) == SynthesisOptions()
    with pytest.raises(InvalidOption, match="Did you mean volume"):
        merge_options(None, {"volum": 1})
    with pytest.raises(InvalidOption, match="style_weight"):
        merge_options(None, {"zzz": 1})
