"""Choice of the rows to measure, and its cost."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from benchmarks import __main__ as command
from benchmarks.engine_rows import Setting


@pytest.mark.parametrize("only", [["rerun,producer"], ["rerun", "producer"], ["rerun,", "producer"]])
def test_rows_are_named_with_commas_or_apart(monkeypatch: pytest.MonkeyPatch, only: list[str]) -> None:
    monkeypatch.setattr("sys.argv", ["benchmarks", "--only", *only, "--quick"])
    assert command._wanted(command._arguments().only) == {"rerun", "producer"}


def test_a_pattern_stands_for_rows() -> None:
    assert command._wanted(["horizontal_*"]) == {"horizontal_builtin", "horizontal_jp_extra"}
    assert "sentence" in command._wanted(["*"])
    with pytest.raises(SystemExit, match=r"no such row: vertical_\*; there is: chapter_speed, "):
        command._wanted(["rerun", "vertical_*"])


def test_rows_of_the_queue_need_no_voice(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    started: list[Path] = []

    def start(self: Setting) -> None:
        started.append(self.tree)
        raise InterruptedError

    monkeypatch.setattr(Setting, "start_ours", start)
    monkeypatch.setattr("sys.argv", ["benchmarks", "--quick", "--work", str(tmp_path)])
    chosen: argparse.Namespace = command._arguments()
    command._setting(chosen, command._wanted(["overhead_*", "producer*", "rerun*", "horizontal_builtin"]))
    assert not started
    (tmp_path / "tiny-1").mkdir()
    with pytest.raises(InterruptedError):
        command._setting(chosen, {"rerun", "horizontal_jp_extra"})
