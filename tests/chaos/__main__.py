"""``python -m tests.chaos --runs N --seed S``: break a running queue N times, print what recovered and how fast."""

from __future__ import annotations

import argparse
import signal
import statistics
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from tests.chaos.arena import arena
from tests.chaos.driver import Driver, Plan, Report, plans


def main() -> int:
    args = _arguments()
    for number in (signal.SIGTERM, signal.SIGINT):  # a shell's background job ignores SIGINT
        signal.signal(number, signal.default_int_handler)
    reports: list[Report] = []
    started = time.monotonic()
    with arena(timeout=args.timeout, outage_seconds=args.outage, stock=args.stock, workers=args.workers) as made:
        driver = Driver(made, patience=args.patience, logs=args.logs)
        try:
            for plan in plans(args.runs, args.seed, made):
                if not _wanted(plan, args):
                    continue
                if args.minutes and time.monotonic() - started > args.minutes * 60:
                    break
                reports.append(driver.run(plan))
                print(f"{time.monotonic() - started:6.0f} s", _line(reports[-1]), file=sys.stderr, flush=True)
        except KeyboardInterrupt:
            print("interrupted", file=sys.stderr)
    print(table(reports))
    minutes = (time.monotonic() - started) / 60
    print(f"\n{len(reports)} runs, {sum(not r.problems for r in reports)} recovered, {minutes:.0f} minutes")
    return 1 if any(report.problems for report in reports) and not args.stock else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--stock", action="store_true", help="stock Celery settings instead of Koebin's guarantees")
    parser.add_argument("--timeout", type=float, default=3.0, help="visibility timeout in seconds")
    parser.add_argument("--outage", type=float, default=4.0, help="seconds that an outage lasts")
    parser.add_argument("--patience", type=float, default=120.0, help="seconds after which a job counts as lost")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--minutes", type=float, default=0.0, help="begin no run after so long")
    parser.add_argument("--logs", type=Path, help="folder for the workers' logs of runs that failed")
    parser.add_argument("--fault", default="", help="only faults whose name holds this")
    parser.add_argument("--step", default="", help="only steps whose name holds this")
    return parser.parse_args()


def _wanted(plan: Plan, args: argparse.Namespace) -> bool:
    return args.fault in plan.fault and args.step in plan.step


def _line(report: Report) -> str:
    plan = report.plan
    seconds = "-" if report.seconds is None else f"{report.seconds:.1f} s"
    said = "; ".join(report.problems[:3]) or "recovered"
    return f"{plan.number:4d}  {plan.fault:26s} {plan.step:22s} {plan.store:6s} {seconds:>8s}  {said}"


def table(reports: Sequence[Report]) -> str:
    """Markdown: a row for each fault and step, and one for each fault."""
    rows = ["| fault | step | runs | recovered | median s | worst s |", "|---|---|---:|---:|---:|---:|"]
    by_pair: dict[tuple[str, str], list[Report]] = {}
    for report in reports:
        by_pair.setdefault((report.plan.fault, report.plan.step), []).append(report)
        by_pair.setdefault((report.plan.fault, "**all**"), []).append(report)
    for (fault, step), found in sorted(by_pair.items()):
        seconds = sorted(report.seconds for report in found if report.seconds is not None and not report.problems)
        middle = f"{statistics.median(seconds):.1f}" if seconds else "-"
        worst = f"{seconds[-1]:.1f}" if seconds else "-"
        good = sum(not report.problems for report in found)
        rows.append(f"| {fault} | {step} | {len(found)} | {good} | {middle} | {worst} |")
    return "\n".join(rows)


if __name__ == "__main__":
    sys.exit(main())
