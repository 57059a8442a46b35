"""``python -m tests.chaos --runs N --seed S``: break a running queue N times, print what recovered and how fast."""

from __future__ import annotations

import argparse
import signal
import sys
import time
from pathlib import Path

from tests.chaos.arena import arena
from tests.chaos.driver import Driver, Outages, Plan, Report, plans
from tests.chaos.tables import by_fault, by_step, load, save, unrecovered


def main() -> int:
    args = _arguments()
    reports = [report for path in args.merge for report in load(path)] or _run(args)
    if args.json:
        save(args.json, reports)
    print(by_fault(reports, load(args.against) if args.against else ()))
    print(f"\nSeconds to recovery at each step:\n\n{by_step(reports)}\n\n{unrecovered(reports)}")
    recovered = sum(not report.problems for report in reports)
    made_way = sum(report.made_way > 0 for report in reports)
    print(f"{len(reports)} runs, {recovered} recovered; in {made_way} something made way")
    return 1 if recovered < len(reports) and not args.stock else 0


def _run(args: argparse.Namespace) -> list[Report]:
    for number in (signal.SIGTERM, signal.SIGINT):  # a shell's background job ignores SIGINT
        signal.signal(number, signal.default_int_handler)
    reports: list[Report] = []
    started = time.monotonic()
    part, parts = (int(number) for number in args.part.split("/"))
    outages = Outages(args.outage, args.long_outage, args.long_share)
    with arena(timeout=args.timeout, stock=args.stock, workers=args.workers) as made:
        driver = Driver(made, patience=args.patience, logs=args.logs, urgent=args.urgent)
        try:
            for plan in plans(args.runs, args.seed, made, outages, urgent=args.urgent):
                if plan.number % parts != part - 1 or not _wanted(plan, args):
                    continue
                if args.minutes and time.monotonic() - started > args.minutes * 60:
                    break
                reports.append(driver.run(plan))
                print(f"{time.monotonic() - started:6.0f} s", _line(reports[-1]), file=sys.stderr, flush=True)
        except KeyboardInterrupt:
            print("interrupted", file=sys.stderr)
    return reports


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--stock", action="store_true", help="stock Celery settings instead of Koebin's guarantees")
    parser.add_argument("--timeout", type=float, default=3.0, help="visibility timeout in seconds")
    parser.add_argument("--outage", type=float, default=4.0, help="seconds that an outage lasts")
    parser.add_argument("--long-outage", type=float, default=30.0, help="seconds that some outages last")
    parser.add_argument("--long-share", type=float, default=0.15, help="share of the outages that last so long")
    parser.add_argument("--patience", type=float, default=120.0, help="seconds after which a job counts as lost")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--urgent", action="store_true", help="ask for something more urgent just before every fault")
    parser.add_argument("--minutes", type=float, default=0.0, help="begin no run after so long")
    parser.add_argument("--logs", type=Path, help="folder for the workers' logs of runs that failed")
    parser.add_argument("--part", default="1/1", help="run the K-th of N parts of the plan, K/N")
    parser.add_argument("--json", type=Path, help="write what was measured here")
    parser.add_argument("--merge", type=Path, nargs="+", default=[], help="run nothing, print what such files hold")
    parser.add_argument("--against", type=Path, help="such a file of other runs, to be shown beside")
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


if __name__ == "__main__":
    sys.exit(main())
