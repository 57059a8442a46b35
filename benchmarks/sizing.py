"""Sizing table of ``docs/operations.md``: ``python -m benchmarks.sizing FOLDER`` (made by ``benchmarks.voices``).

Each row is a process of its own. Memory and CPU seconds hold on a busy machine as well; wall seconds do not, and are
not shown.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from time import process_time

from benchmarks.texts import BOOK, Texts
from koebin.engine.sources.base import SourceOptions
from koebin.engine.tts import TTS
from koebin.worker.child.memory import resident

_ROWS = (("mei",), ("mei", "ken"), ("first",), ("first", "second"))
_CHARACTERS = 400


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tree", type=Path)
    parser.add_argument("--row", default="", help="measure this row in this process")
    parser.add_argument("--cache", type=Path)
    arguments = parser.parse_args()
    if arguments.row:
        print(json.dumps(measure(arguments.row.split(","), arguments.tree.resolve(), arguments.cache)))
        return
    print("| speakers | loading, CPU s | RSS, loaded | RSS, spoken | CPU s per audio s | per core |")
    print("|---|--:|--:|--:|--:|--:|")
    with tempfile.TemporaryDirectory() as cache:
        for row in _ROWS:
            command = [sys.executable, "-m", "benchmarks.sizing", str(arguments.tree), "--row", ",".join(row)]
            command += ["--cache", cache]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)  # fetched and optimised once
            found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
            figures = f"{found['load']:.1f} | {found['loaded']:.0f} MiB | {found['spoken']:.0f} MiB"
            print(f"| {', '.join(row)} | {figures} | {found['cost']:.3f} | {1 / found['cost']:.1f} × |", flush=True)


def measure(speakers: list[str], tree: Path, cache: Path) -> dict[str, float]:
    """One row: CPU seconds of loading and per second of audio, MiB of resident memory."""
    text = Texts.of(BOOK, _CHARACTERS).chapter
    started = process_time()
    sources = SourceOptions(cache)
    with TTS(sources=sources, bert_source=tree.as_uri()) as tts:
        for name in speakers:
            tts.load(name, None if name in ("mei", "ken") else tree.as_uri())
        tts.prepare()
        load, loaded = process_time() - started, resident("self") / 2**20
        started, seconds = process_time(), 0.0
        for name in speakers:
            seconds += tts.speakers[name].generate(text).duration_seconds
        return {
            "load": load,
            "loaded": loaded,
            "spoken": resident("self") / 2**20,
            "cost": (process_time() - started) / seconds,
        }


if __name__ == "__main__":
    main()
