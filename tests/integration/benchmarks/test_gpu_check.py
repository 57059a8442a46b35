"""The check of a graphics card runs from its folder, on a CPU with tiny voices: every part, to its end."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.gpu.pack import pack

BOOK = "今日はとてもいい天気ですね。明日の朝は、駅前で待っています。\n\nええ、そうしましょう。"


@pytest.mark.slow
def test_every_part_runs_to_its_end(tmp_path: Path) -> None:
    book = tmp_path / "book.txt"
    book.write_text(BOOK, "utf-8")
    pack(tmp_path / "folder", book, 100, wheels=False)
    command = [sys.executable, "-m", "benchmarks.gpu_check", "../out", "--device", "cpu", "--tiny", "--seconds", "3000"]
    done = subprocess.run(command, cwd=tmp_path / "folder", capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads((tmp_path / "out/gpu_check.json").read_text("utf-8"))
    states = {part: figures.pop("state") for part, figures in found.items()}
    assert states.pop("CUDA graphs") == "not run: no CUDA"
    assert set(states.values()) == {"done"}, states
    parity = {**found["parity with the reference"], **found["parity of voices"]}
    verdicts = {name: verdict for name, verdict in parity.items() if name != "seconds"}
    assert len(verdicts) == 17
    assert all(verdict.startswith(("ok: ", "the same bytes")) for verdict in verdicts.values()), verdicts
    assert found["speed through run_chunk"]["through run_chunk: audio s per s"] > 0
