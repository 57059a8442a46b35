"""Time budget of the GPU check."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

from benchmarks.gpu.budget import NotRun, Part, run_parts
from benchmarks.gpu.material import Material
from benchmarks.gpu.report import Report
from benchmarks.gpu.wheels import fits

MATERIAL = cast(Material, None)


def quick(_: Material) -> Iterator[tuple[str, Any]]:
    yield "figure", 1


def endless(_: Material) -> Iterator[tuple[str, Any]]:
    yield "first", 1
    while True:
        time.sleep(0.01)


def broken(_: Material) -> Iterator[tuple[str, Any]]:
    yield "first", 1
    raise ValueError("no such kernel")


def elsewhere(_: Material) -> Iterator[tuple[str, Any]]:
    raise NotRun("no CUDA")
    yield


def test_a_part_that_takes_too_long_keeps_its_figures_and_lets_the_next_run(tmp_path: Path) -> None:
    parts = [Part("endless", 0.2, endless), Part("broken", 60, broken), Part("none", 60, elsewhere)]
    run_parts([*parts, Part("quick", 60, quick)], MATERIAL, Report(tmp_path), 600)
    found = json.loads((tmp_path / "gpu_check.json").read_text("utf-8"))
    for figures in found.values():
        figures.pop("seconds")
    assert found == {
        "endless": {"first": 1, "state": "not run to its end: time"},
        "broken": {"first": 1, "state": "failed: ValueError: no such kernel"},
        "none": {"state": "not run: no CUDA"},
        "quick": {"figure": 1, "state": "done"},
    }
    assert "Traceback" in (tmp_path / "gpu_check.log").read_text("utf-8")


def test_what_no_time_is_left_for_says_so(tmp_path: Path) -> None:
    report = Report(tmp_path)
    run_parts([Part("quick", 60, quick)], MATERIAL, report, 0)
    assert report.figures["quick"]["state"] == "not run: time"


def test_wheels_of_other_pythons_and_processors_are_left_alone() -> None:
    import platform
    import sys

    here, machine = f"cp3{sys.version_info.minor}", platform.machine()
    assert fits("redis-8.1.0-py3-none-any.whl")
    assert fits("vine-5.1.0-py2.py3-none-any.whl")
    assert fits(f"cffi-2.1.1-{here}-{here}-manylinux_2_17_{machine}.whl")
    assert fits(f"psutil-7.2.2-cp36-abi3-manylinux2014_{machine}.whl")
    assert not fits(f"cffi-2.1.1-cp39-cp39-manylinux_2_17_{machine}.whl")
    assert not fits("psutil-7.2.2-cp36-abi3-manylinux2014_s390x.whl")
