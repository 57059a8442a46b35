"""Processor quota of containers, in both versions of control groups."""

from __future__ import annotations

from pathlib import Path

import pytest

from koebin.engine import tts
from koebin.engine.cpu_quota import cpu_quota


@pytest.mark.parametrize(
    ("files", "own", "cores"),
    [
        ({"cpu.max": "50000 100000"}, "0::/", 0.5),
        ({"cpu.max": "max 100000"}, "0::/", None),
        ({"a/b/cpu.max": "max 100000", "a/cpu.max": "250000 100000"}, "0::/a/b", 2.5),
        ({"cpu/cpu.cfs_quota_us": "150000", "cpu/cpu.cfs_period_us": "100000"}, "", 1.5),
        ({"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, "", None),
        ({"cpu.max": "what"}, "0::/../..", None),
        ({}, "0::/", None),
    ],
)
def test_the_least_quota_counts(tmp_path: Path, files: dict[str, str], own: str, cores: float | None) -> None:
    for name, text in files.items():
        path = tmp_path / "cgroup" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n")
    (tmp_path / "own").write_text(own + "\n")
    assert cpu_quota(tmp_path / "cgroup", tmp_path / "own") == cores


@pytest.mark.parametrize(("quota", "threads"), [(0.5, 1), (1.5, 2), (None, 8), (64.0, 8)])
def test_threads_follow_the_quota(monkeypatch: pytest.MonkeyPatch, quota: float | None, threads: int) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(8)))
    monkeypatch.setattr(tts, "cpu_quota", lambda: quota)
    assert tts.available_cores() == threads
