"""Every row of the table that a CPU can measure is measured, with tiny voices and small counts."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.rows import ROWS

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.slow
def test_every_row_but_those_of_a_gpu_gets_a_figure(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "benchmarks", "--quick", "--work", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    measured = {line.split(":")[0] for line in done.stdout.splitlines() if ": Figure(" in line}
    assert measured == {row.key for row in ROWS if not row.key.startswith("gpu_")}
