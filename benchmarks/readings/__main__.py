"""``python -m benchmarks.readings FOLDER``: front ends scored on sets of sentences, as a table.

FOLDER holds ``NAME.jsonl`` files with ``text``, ``kana`` and, where a set has them, ``prosody`` in each line. Other
front ends run in environments of their own: ``--python haqumei=/path/to/bin/python``.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from benchmarks.readings.score import Score, interval
from benchmarks.readings.systems import SYSTEMS

_PROGRAM = Path(__file__).with_name("systems.py")
_ROOT = Path(__file__).parents[2]


def answers(system: str, python: str, cases: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What a system says of the cases, from a process of its own."""
    texts = "\n".join(json.dumps(case["text"], ensure_ascii=False) for case in cases) + "\n"
    environment = {**os.environ, "PYTHONPATH": str(_ROOT)} if system == "koebin" else dict(os.environ)
    command = [python, "-P", str(_PROGRAM), system]
    done = subprocess.run(command, input=texts, capture_output=True, text=True, check=True, env=environment)
    return [json.loads(line) for line in done.stdout.splitlines()]


def main() -> None:
    parser = argparse.ArgumentParser(prog="benchmarks.readings", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--python", action="append", default=[], metavar="SYSTEM=PATH")
    parser.add_argument("--write", type=Path, help="put the table between the marks of this document")
    chosen = parser.parse_args()
    pythons = {"koebin": sys.executable, "pyopenjtalk": sys.executable}
    pythons |= dict(pair.split("=", 1) for pair in chosen.python)
    unknown = sorted({name.split("@")[0] for name in pythons} - set(SYSTEMS))
    if unknown:
        parser.error(f"no such front end: {unknown[0]}; there are {', '.join(SYSTEMS)}")
    lines = [
        "| set | n | front end | exact % (95 %) | lenient % | F1, nucleus, phrase % | CPU ms |",
        "|---|--|---|--|--|--|--|",
    ]
    for path in sorted(chosen.folder.glob("*.jsonl")):
        cases = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
        for name, python in pythons.items():
            said = answers(name.split("@")[0], python, cases)
            lines.append(_row(path.stem, name, cases, said))
            print(lines[-1], flush=True)
    table = "\n".join(lines)
    if chosen.write:
        text = chosen.write.read_text("utf-8")
        head, _, rest = text.partition("<!-- table -->\n")
        tail = rest.partition("<!-- end of table -->")[2]
        chosen.write.write_text(f"{head}<!-- table -->\n{table}\n<!-- end of table -->{tail}", "utf-8")


def _row(name: str, system: str, cases: list[dict[str, Any]], said: list[dict[str, Any]]) -> str:
    score = Score()
    for case, one in zip(cases, said, strict=True):
        score.add(case, one)
    right, count = sum(score.right), len(cases)
    low, high = interval(right, count)
    accents = ", ".join(f"{rate:.1f}" for rate in score.accent_rates()) if score.accents["phrases"] else ""
    cpu = 1000 * sum(one["cpu"] for one in said) / max(1, count)
    exact = f"{100 * right / count:.1f} ({low:.1f} to {high:.1f})"
    return f"| {name} | {count} | {system} | {exact} | {100 * score.lenient / count:.1f} | {accents} | {cpu:.1f} |"


if __name__ == "__main__":
    main()
