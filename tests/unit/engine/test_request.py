"""Requests: one sentence each, with its own readings; options replaced by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from koebin.engine.content_id import content_id
from koebin.engine.errors import InvalidOption
from koebin.engine.options import SynthesisOptions
from koebin.engine.reading import Reading
from koebin.engine.request import Request, merge_options, split_request


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


def test_numbers_of_any_kind_are_options() -> None:
    given: Any = {"speed": np.float32(1.5), "seed": np.int64(3), "pitch": 1}
    assert SynthesisOptions(**given) == SynthesisOptions(speed=1.5, seed=3, pitch=1.0)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: SynthesisOptions(style=None), "style is not a name: 'None'"),  # type: ignore[arg-type]
        (lambda: SynthesisOptions(style="x" * 65), "style is not a name"),
        (lambda: SynthesisOptions(speed="fast"), "speed is not a finite number: 'fast'"),  # type: ignore[arg-type]
        (lambda: SynthesisOptions(volume=True), "volume is not a finite number"),
        (lambda: SynthesisOptions(speed=10**400), "speed is out of range"),
        (lambda: SynthesisOptions(pitch=float("inf")), "pitch is out of range: 'inf'. Use -24.0 to 24.0"),
        (lambda: SynthesisOptions(take=1.5), "take is not a whole number"),  # type: ignore[arg-type]
        (lambda: Reading(0.5, 2, "ア"), "start is of a wrong type: '0.5'"),  # type: ignore[arg-type]
        (lambda: Reading(0, 2, None), "kana is of a wrong type"),  # type: ignore[arg-type]
        (lambda: Reading(0, 2, "ア", "1"), "accent is of a wrong type"),  # type: ignore[arg-type]
        (lambda: Request("はい。", {"speed": 1}), "options of a wrong type"),  # type: ignore[arg-type]
        (lambda: Request("はい。", dictionary={"山": "ヤマ"}), "Give a Dictionary"),  # type: ignore[arg-type]
        (lambda: Request("はい。", readings=((0, 2, "ア"),)), "Give a Reading"),  # type: ignore[arg-type]
        (lambda: merge_options({"speed": 1}, {}), "Give a SynthesisOptions"),  # type: ignore[arg-type]
    ],
)
def test_what_is_of_a_wrong_type_is_named(make: Callable[[], object], message: str) -> None:
    with pytest.raises(InvalidOption, match=message):
        make()


def test_the_order_in_which_readings_are_given_does_not_matter() -> None:
    one, other = Reading(0, 2, "サンデン"), Reading(5, 7, "ヤマタ")
    ids = {content_id("山田さんと山田へ。", "mei", SynthesisOptions(), pair) for pair in ((one, other), (other, one))}
    assert len(ids) == 1
