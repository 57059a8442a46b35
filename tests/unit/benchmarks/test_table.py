"""The table says what was measured, and no more."""

from __future__ import annotations

import json
from dataclasses import asdict

import pytest

from benchmarks.rows import Figure, Row, Target, figures_from
from benchmarks.table import BEGIN, END, notes, put_into, table

ROWS = (
    Row("speed", "speed", "×", Target("≥", 1.5)),
    Row("wait", "wait", "ms", Target("≤", 10, "figure")),
    Row("memory", "memory", "MiB", quiet=False),
    Row("gpu", "GPU", "×", Target("≥", 500, "figure")),
)
FIGURES = {
    "speed": Figure.of([3.0, 4.0, 2.0], [2.0, 1.0, 2.0], note="12 s of audio"),
    "wait": Figure.of([12.0, 11.0], load=2.0),
    "memory": Figure.of([1234.5], load=9.0),
}


def test_the_ratio_is_the_median_of_the_pairs() -> None:
    assert FIGURES["speed"] == Figure(3.0, 2.0, 1.5, 3, 0.0, "12 s of audio")


def test_each_row_says_whether_its_target_is_reached() -> None:
    head, _, speed, wait, memory, gpu = table(FIGURES, ROWS).splitlines()
    assert head.startswith("| | ratio | to reach |")
    assert speed == "| speed | 1.50 × | ≥ 1.5 × | reached | 3.00 × | 2.00 × | 3 |"
    assert wait == "| wait |  | ≤ 10 | **missed** (machine busy: 2.0) | 11.5 ms |  | 2 |"
    assert memory == "| memory |  |  |  | 1,234 MiB |  | 1 |"
    assert gpu == "| GPU | | ≥ 500 | not measured | | | |"
    assert notes(FIGURES, ROWS) == "- *speed*: 12 s of audio."


def test_a_ratio_that_nobody_measured_is_neither_reached_nor_missed() -> None:
    assert Figure.of([5.0]).judged(Target("≥", 1.5)) is None


def test_runs_of_both_sides_belong_together() -> None:
    with pytest.raises(ValueError, match="zip"):
        Figure.of([1.0, 2.0], [1.0])


def test_only_what_is_between_the_marks_is_replaced() -> None:
    page = f"# Title\n\n{BEGIN}\nold\n{END}\n\nWords.\n"
    assert put_into(page, "new") == f"# Title\n\n{BEGIN}\n\nnew\n\n{END}\n\nWords.\n"
    assert put_into("# Title\n", "new") == f"# Title\n\n{BEGIN}\n\nnew\n\n{END}\n"


def test_figures_are_kept_between_runs() -> None:
    kept = json.loads(json.dumps({key: asdict(figure) for key, figure in FIGURES.items()}))
    assert figures_from(kept) == FIGURES
