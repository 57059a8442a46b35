"""The duration model read from the voice file against the HTS engine itself."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from koebin.engine.errors import InvalidCheckpoint
from koebin.engine.models.hts.durations import HtsDurations, fit_durations
from koebin.engine.models.hts.voice import _new_engine, voice_path

GOLDEN = json.loads((Path(__file__).parents[4] / "golden" / "hts_durations.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def durations() -> HtsDurations:
    return HtsDurations.load(voice_path())


def test_the_header_is_read(durations: HtsDurations) -> None:
    assert (durations.sample_rate_hz, durations.frame_period) == (48_000, 240)
    assert durations.means.shape == durations.variances.shape == (145, 5)
    assert len(durations.nodes) == 144, "a binary tree has one node less than leaves"


@pytest.mark.parametrize("case", GOLDEN, ids=[case["text"] for case in GOLDEN])
def test_frames_are_as_recorded(durations: HtsDurations, case: dict[str, object]) -> None:
    for speed, frames in case["frames"].items():  # type: ignore[attr-defined]
        assert durations.frames(case["labels"], float(speed)).tolist() == frames  # type: ignore[arg-type]


@pytest.mark.parametrize("speed", [0.4, 0.94, 1.0, 1.3, 2.0, 3.999, 30.0])
def test_frames_are_what_the_engine_speaks(durations: HtsDurations, speed: float) -> None:
    engine = _new_engine(voice_path())
    for case in GOLDEN:
        engine.set_speed(durations.reachable_speed(case["labels"], speed))
        samples = engine.synthesize(case["labels"])
        assert int(durations.frames(case["labels"], speed).sum()) * 240 == len(samples)


def test_at_normal_speed_a_label_is_as_long_alone_as_among_others(durations: HtsDurations) -> None:
    labels = GOLDEN[1]["labels"]
    alone = [int(durations.frames([label])[0]) for label in labels]
    assert durations.frames(labels).tolist() == alone


def test_no_labels_have_no_frames(durations: HtsDurations) -> None:
    assert durations.frames([]).tolist() == []


def test_a_speed_that_cannot_be_reached_is_lowered_to_one_frame_per_state(durations: HtsDurations) -> None:
    labels = GOLDEN[0]["labels"]
    assert durations.frames(labels, 1000.0).tolist() == [5] * len(labels)
    assert durations.reachable_speed(labels, 1.3) == 1.3
    reachable = durations.reachable_speed(labels, 1000.0)
    assert reachable < 1000.0
    assert durations.frames(labels, reachable).tolist() == [5] * len(labels)


@given(
    st.lists(st.tuples(st.floats(0.1, 60.0), st.floats(0.5, 400.0)), min_size=1, max_size=40),
    st.floats(0.0, 3000.0),
)
def test_fitted_durations_have_the_wanted_sum(states: list[tuple[float, float]], length: float) -> None:
    means, variances = np.array(states).T
    fitted = fit_durations(means, variances, length)
    assert fitted.min() >= 1
    assert fitted.sum() == max(len(states), int(length + 0.5))


def test_a_frame_too_many_comes_from_the_state_that_strays_least() -> None:
    means, variances = np.array([2.4, 2.4, 2.4, 10.4]), np.array([1.0, 1.0, 1.0, 8.0])
    # rho = (18 - 17.6) / 11: every state rounds down to 16 in all; the flexible one takes the frames that are left.
    assert fit_durations(means, variances, 18.0).tolist() == [2, 2, 2, 12]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no voice",
        b"[GLOBAL]\nNUM_STATES:5\n[DATA]\n",
        b"NUM_STATES:5\nSAMPLING_FREQUENCY:48000\nFRAME_PERIOD:240\nDURATION_PDF:0-99\nDURATION_TREE:100-120\n[DATA]\nxx",
    ],
)
def test_a_file_that_is_no_voice_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "broken.htsvoice"
    path.write_bytes(content)
    with pytest.raises(InvalidCheckpoint, match="HTS voice"):
        HtsDurations.load(path)


def test_a_voice_cut_short_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "short.htsvoice"
    path.write_bytes(voice_path().read_bytes()[:9000])
    with pytest.raises(InvalidCheckpoint, match="cut off"):
        HtsDurations.load(path)
