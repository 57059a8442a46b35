"""Measurements of the driver as Markdown tables; and as JSON, so that two drivers may measure one plan."""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

from tests.chaos.driver import PRODUCER, Plan, Report
from tests.chaos.producer import SUBMITTING


def save(path: Path, reports: Sequence[Report]) -> None:
    path.write_text(json.dumps([asdict(report) for report in reports], ensure_ascii=False, indent=1), "utf-8")


def load(path: Path) -> list[Report]:
    return [
        Report(Plan(**row["plan"]), row["seconds"], tuple(row["problems"]), row.get("made_way", 0))
        for row in json.loads(path.read_text("utf-8"))
    ]


def by_fault(reports: Sequence[Report], against: Sequence[Report] = ()) -> str:
    """A row for each fault; beside it the same of other runs, where there are any."""
    rows = ["| fault | runs | recovered | median s | worst s |", "|---|---:|---:|---:|---:|"]
    if against:
        rows = [rows[0] + " stock: runs | recovered | median s | worst s |", rows[1] + "---:|---:|---:|---:|"]
    groups, others = _grouped(reports, _fault), _grouped(against, _fault)
    for fault in sorted({*groups, *others}):
        cells = _cells(groups.get(fault, [])) + (_cells(others.get(fault, [])) if against else [])
        rows.append(f"| {fault} | {' | '.join(cells)} |")
    cells = _cells(reports) + (_cells(against) if against else [])
    rows.append(f"| **all** | {' | '.join(cells)} |")
    return "\n".join(rows)


def by_step(reports: Sequence[Report]) -> str:
    """Faults down, steps across; a cell is the median of the seconds, with the number of runs and the worst of several,
    and with a cross for each that did not recover."""
    faults = _grouped([report for report in reports if report.plan.fault != PRODUCER], _fault)
    steps = sorted({report.plan.step for report in reports} - {SUBMITTING})
    rows = [f"| | {' | '.join(steps)} |", "|---|" + "---:|" * len(steps)]
    for fault, found in sorted(faults.items()):
        at = _grouped(found, lambda report: report.plan.step)
        rows.append(f"| {fault} | {' | '.join(_cell(at.get(step, [])) for step in steps)} |")
    return "\n".join(rows)


def unrecovered(reports: Sequence[Report]) -> str:
    """A line for each run that did not recover."""
    return "\n".join(
        f"- {_fault(report)}, {report.plan.step}: {'; '.join(report.problems)}" for report in reports if report.problems
    )


def _fault(report: Report) -> str:
    plan = report.plan
    return f"{plan.fault}, {plan.outage:.0f} s" if plan.long else plan.fault


def _grouped(reports: Sequence[Report], name: Callable[[Report], str]) -> dict[str, list[Report]]:
    groups: dict[str, list[Report]] = {}
    for report in reports:
        groups.setdefault(name(report), []).append(report)
    return groups


def _seconds(reports: Sequence[Report]) -> list[float]:
    return sorted(report.seconds for report in reports if report.seconds is not None and not report.problems)


def _cells(reports: Sequence[Report]) -> list[str]:
    if not reports:
        return ["-"] * 4
    seconds = _seconds(reports)
    times = [f"{statistics.median(seconds):.1f}", f"{seconds[-1]:.1f}"] if seconds else ["-", "-"]
    return [str(len(reports)), str(sum(not report.problems for report in reports)), *times]


def _cell(reports: Sequence[Report]) -> str:
    seconds = _seconds(reports)
    failed = "✗" * sum(bool(report.problems) for report in reports)
    if not seconds:
        return failed
    several = f" ({len(seconds)}, {seconds[-1]:.1f})" if len(seconds) > 1 else ""
    return f"{statistics.median(seconds):.1f}{several}{failed}"
