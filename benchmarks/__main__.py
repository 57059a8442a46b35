"""Benchmark runner ``python -m benchmarks``: measures, keeps the figures in ``out/bench``, writes
``docs/performance.md``.
"""

from __future__ import annotations

import argparse
import fnmatch
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import get_args

from benchmarks import engine_rows, gpu_rows, plots, queue_rows
from benchmarks.engine_rows import Setting, busy
from benchmarks.processes import ROOT
from benchmarks.rows import ROWS, Figure, figures_from
from benchmarks.table import notes, put_into, table
from benchmarks.texts import BOOK, Texts
from koebin.engine.checked_names import DecoderMode

PAGE = ROOT / "docs" / "performance.md"
_SPEAKING = {"sentence", "front_end", "first_audio", "paragraph", "chapter_speed", "chapter_cpu", "memory"}
_GPU = {"gpu_speed", "gpu_peer"}
_QUEUE = {row.key for row in ROWS if row.key.startswith(("overhead", "producer", "rerun"))} | {"horizontal_builtin"}
"""Spoken by the built-in voice, or not at all."""


def main() -> None:
    chosen = _arguments()
    wanted = _wanted(chosen.only)
    chosen.work.mkdir(parents=True, exist_ok=True)
    kept = chosen.work / ("quick.json" if chosen.quick else "figures.json")
    document = json.loads(kept.read_text()) if kept.exists() else {}
    figures = figures_from(document.get("figures", {}))
    for key, figure in _measure(chosen, _setting(chosen, wanted), wanted):
        figures[key] = figure
        print(f"{key}: {figure}", flush=True)
        document = {"machine": _machine(), "figures": {key: asdict(value) for key, value in figures.items()}}
        kept.write_text(json.dumps(document, ensure_ascii=False, indent=1) + "\n", "utf-8")
    if chosen.quick:
        print(table(figures))
        return
    drawn = plots.draw(figures, PAGE.parent / "performance")
    PAGE.write_text(put_into(PAGE.read_text("utf-8") if PAGE.exists() else "", _page(figures, drawn)), "utf-8")
    print(f"written: {PAGE}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--peer", type=Path, help="a Python with hayakoe 1.3.1 and torch, to be measured beside ours")
    parser.add_argument(
        "--only", nargs="+", default=["*"], metavar="ROW", help="these, or rerun*; others stay as they are"
    )
    parser.add_argument("--quick", action="store_true", help="tiny voices, small counts; figures mean nothing")
    parser.add_argument("--device", default="cpu", help="cpu, cuda or cuda:N")
    parser.add_argument("--decoder", default="float32", choices=get_args(DecoderMode), help="its arithmetic on CUDA")
    parser.add_argument("--seed", type=int, default=1, help="of the random voices")
    parser.add_argument("--text", type=Path, default=BOOK, help="what is spoken, in a format that koebin narrate takes")
    parser.add_argument("--chapter", type=int, default=330, metavar="CHARACTERS", help="length of the chapter")
    parser.add_argument("--pairs", type=int, default=3, help="how often both are asked for the chapter")
    parser.add_argument("--segments", type=int, default=100_000, help="of the producer's script")
    parser.add_argument("--lines", type=int, default=10_000, help="of the script of which one line is changed")
    parser.add_argument("--work", type=Path, default=ROOT / "out" / "bench", help="folder for voices and figures")
    chosen = parser.parse_args()
    if chosen.quick:
        chosen.chapter, chosen.pairs, chosen.segments, chosen.lines = 60, 1, 2000, 200
    return chosen


def _wanted(only: Iterable[str]) -> set[str]:
    """Keys of rows, or patterns of them, apart or with commas between them."""
    keys = {row.key for row in ROWS}
    found = {pattern: fnmatch.filter(keys, pattern) for pattern in ",".join(only).split(",") if pattern}
    if unknown := [pattern for pattern, rows in found.items() if not rows]:
        sys.exit(f"no such row: {', '.join(unknown)}; there is: {', '.join(row.key for row in ROWS)}")
    return {key for rows in found.values() for key in rows}


def _setting(chosen: argparse.Namespace, wanted: set[str]) -> Setting:
    """What is measured with; voices are made and prepared if a row that is wanted speaks with them."""
    tree = chosen.work / f"{'tiny' if chosen.quick else 'full'}-{chosen.seed}"
    texts = Texts.of(chosen.text, chosen.chapter)
    setting = Setting(tree, chosen.work, chosen.peer, texts, chosen.device, chosen.pairs, chosen.decoder)
    if wanted <= _QUEUE:
        return setting
    if not tree.exists():
        # In a process of its own, whose memory goes with it.
        command = [sys.executable, "-m", "benchmarks.voices", str(tree), "--seed", str(chosen.seed)]
        subprocess.run(command + ["--tiny"] * chosen.quick, cwd=ROOT, check=True)
    with setting.start_ours():
        pass  # voices are prepared now: peaks and loading times are those of files that are cached
    return setting


def _measure(chosen: argparse.Namespace, setting: Setting, wanted: set[str]) -> Iterator[tuple[str, Figure]]:
    """The rows that are wanted, those that need a quiet machine first."""
    if setting.device != "cpu":
        if wanted & _GPU:
            yield from engine_rows.speaking_rows(setting, wanted & _GPU)
        if "gpu_worker" in wanted:
            yield from gpu_rows.worker_rows(setting)
        return
    if wanted & _SPEAKING:
        yield from engine_rows.speaking_rows(setting, wanted)
    if any(key.startswith("stage_") for key in wanted):
        yield from engine_rows.stage_rows(setting)
    if wanted & {"load", "load_cpu"}:
        yield from engine_rows.load_rows(setting)
    if wanted & {"horizontal_builtin", "horizontal_jp_extra"}:
        yield from queue_rows.horizontal_rows(setting, wanted, 20 if chosen.quick else 200)
    if any(key.startswith("overhead") for key in wanted):
        yield from queue_rows.overhead_rows(20 if chosen.quick else 120)
    if wanted & {"producer", "producer_memory"}:
        yield from _producer(chosen.segments)
    if wanted & {"rerun", "rerun_queue"}:
        yield from queue_rows.rerun_rows(chosen.lines)
    if "speaker" in wanted:
        yield from engine_rows.speaker_rows(setting)
    if "memory_long" in wanted:
        yield from engine_rows.memory_rows(setting)


def _producer(segments: int) -> Iterator[tuple[str, Figure]]:
    load = busy()
    answers = []
    for count in (max(200, segments // 10), segments):
        with tempfile.TemporaryDirectory(prefix="koebin-bench-") as folder:
            command = [sys.executable, "-m", "benchmarks.producer", str(count), folder]
            done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
            answers.append(json.loads(done.stdout))
    small, large = answers
    rate = large["segments"] / large["wall"]
    note = f"{large['segments']:,} segments; {large['segments'] / large['cpu']:,.0f} per CPU second"
    yield "producer", Figure.of([rate], load=load, note=note)
    note = f"{small['grown']:.0f} MiB at {small['segments']:,} segments"
    yield "producer_memory", Figure.of([large["grown"]], load=load, note=note)


def _page(figures: dict[str, Figure], drawn: list[Path]) -> str:
    pictures = "\n".join(f"![{path.stem}](performance/{path.name})" for path in drawn)
    return "\n\n".join(part for part in (_machine(), table(figures), notes(figures), pictures) if part)


def _machine() -> str:
    cpu = platform.processor() or "unknown"
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            cpu = line.partition(":")[2].strip()
            break
    day = time.strftime("%Y-%m-%d", time.gmtime())
    cores = len(os.sched_getaffinity(0))
    return (
        f"Measured on {day} on {cores} cores of {cpu}, Linux {platform.release()}, Python {platform.python_version()}, "
        f"ONNX Runtime {version('onnxruntime')}. Load average at the end: {os.getloadavg()[0]:.1f}."
    )


if __name__ == "__main__":
    main()
