"""Parts and deliverables of a programme are checked before anything is rendered."""

import math
from typing import Any

import numpy as np
import pytest

from koebin.engine.audio.audio import Audio
from koebin.engine.audio.marks import Mark, Marks
from koebin.engine.errors import InvalidOption
from koebin.tasks.assembly.programme import Deliverables, Part


def silence() -> Audio:
    return Audio(np.zeros(1_000, dtype=np.float32), 24_000)


def test_marks_keep_within_the_part_and_name_the_speaker() -> None:
    marks = Marks((Mark("あ。", 0.0, 1.2),), (), (Mark("ア", 0.1, 1.3), Mark("ン", 1.4, 1.5, "ken")))
    kept = Part(silence, "あ。", marks, speaker="mei").marks_within(1.0)
    assert kept.sentences == (Mark("あ。", 0.0, 1.0, "mei"),)
    assert kept.moras == (Mark("ア", 0.1, 1.0, "mei"), Mark("ン", 1.0, 1.0, "ken"))


def test_a_part_without_marks_is_one_sentence() -> None:
    assert Part(silence, "あ。", speaker="mei").marks_within(1.5) == Marks((Mark("あ。", 0.0, 1.5, "mei"),))


@pytest.mark.parametrize("pause", [-0.1, 3_601.0, math.nan, math.inf])
def test_refuses_pauses_out_of_range(pause: float) -> None:
    with pytest.raises(InvalidOption, match=r"line 7: a pause is out of range"):
        Part(silence, "あ。", pause_after=pause, line=7)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"formats": ()}, "no audio file"),
        ({"whole": False}, "no audio file"),
        ({"formats": ("mp4",)}, "not a known audio format"),
        ({"subtitles": ("ass",)}, "not a known subtitle format"),
        ({"subtitles": ("srt:kana",)}, "not a known level"),
        ({"formats": ("opus",), "bitrate_kbps": 300}, "Use 6 to 256"),
        ({"loudness_lufs": 3.0}, "loudness target is out of range"),
        ({"loudness_lufs": math.nan}, "loudness target is out of range"),
        ({"true_peak_dbtp": 1.0}, "ceiling is out of range"),
        ({"sample_rate_hz": 1_000}, "sample rate is out of range"),
        ({"cover": b"GIF89a"}, "neither PNG nor JPEG"),
        ({"name": "../x"}, "not a valid stem for file names"),
        ({"name": "a/b"}, "not a valid stem for file names"),
    ],
)
def test_refuses_deliverables_that_cannot_be(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidOption, match=message):
        Deliverables(**wrong)


def test_formats_are_named_once_and_canonically() -> None:
    assert Deliverables(formats=("ogg", "OPUS", ".mp3")).formats == ("opus", "mp3")
