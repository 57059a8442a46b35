"""Chunk sizes: as small as is worthwhile, so that workers end a small job together."""

from __future__ import annotations

import pytest

from koebin.tasks.contracts import Pauses, PlannedSpeaker
from koebin.tasks.jobs.planning import Target, plan_chunks
from koebin.tasks.script import Passage, Script


def chunks(sentences: int, speed_factor: float) -> list[float]:
    """Predicted seconds of each; a sentence has about 3."""
    script = Script([Passage(f"これは{number:06}番目の文です、以上。", "mei") for number in range(sentences)])
    target = Target(PlannedSpeaker(model_revision="m1", sample_rate_hz=48000), "e1", ("Neutral",), speed_factor)
    return [document.seconds for document in plan_chunks(script, {"mei": target}, Pauses())]


@pytest.mark.parametrize(
    ("speed_factor", "smallest"),
    [(0.1, 5.0), (1.0, 5.0), (8.0, 8.0), (15.0, 15.0), (500.0, 15.0)],
)
def test_a_small_job_has_chunks_of_a_second_of_a_worker_within_bounds(speed_factor: float, smallest: float) -> None:
    found = chunks(20, speed_factor)
    assert sum(found) == pytest.approx(57.0)
    assert all(smallest <= seconds < smallest + 3.0 for seconds in found[:-1])


def test_a_job_of_some_size_has_twelve_chunks() -> None:
    assert len(chunks(1200, 100.0)) == 12


def test_a_chunk_of_a_large_job_takes_a_worker_half_a_minute() -> None:
    found = chunks(1200, 1.0)
    assert all(30.0 <= seconds < 33.0 for seconds in found[:-1])


def test_a_worker_that_says_that_it_is_very_slow_is_not_believed() -> None:
    assert chunks(1200, 0.01) == chunks(1200, 0.5)
