"""The environment of the CPU image without an engine for containers: locked packages, pruned as its Dockerfile says."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import venv
from importlib.metadata import distribution
from pathlib import Path
from typing import Final

from packaging.requirements import Requirement

ROOT: Final = Path(__file__).resolve().parents[2]
_DOCKERFILE: Final = ROOT / "docker/cpu.Dockerfile"


def pruned(prefix: Path) -> Path:
    """Make the environment below ``prefix``, from the packages of the one that runs the tests; returns its Python."""
    venv.create(prefix, symlinks=True)
    (site,) = prefix.glob("lib/python3*/site-packages")
    for name in ["koebin", *_locked()]:
        _copy(name, site)
    (unused,) = re.findall(r'^ARG UNUSED="(.+)"$', _DOCKERFILE.read_text(), re.MULTILINE)
    prune(prefix, *unused.split())
    return prefix / "bin/python"


def prune(prefix: Path, *packages: str) -> None:
    """What the Dockerfiles run."""
    subprocess.run([sys.executable, str(ROOT / "docker/prune.py"), str(prefix), *packages], check=True)


def megabytes(prefix: Path) -> float:
    return sum(path.lstat().st_size for path in prefix.rglob("*") if not path.is_dir()) / 1e6


def _locked() -> list[str]:
    """Names of what ``requirements/runtime.txt`` installs on this Python."""
    lines = re.findall(r"^(\S+==[^\\\n]+)", (ROOT / "requirements/runtime.txt").read_text(), re.MULTILINE)
    found = [Requirement(line) for line in lines]
    return [one.name for one in found if one.marker is None or one.marker.evaluate()]


def _copy(name: str, site: Path) -> None:
    for file in distribution(name).files or ():
        if ".." not in file.parts:  # commands
            target = site / file
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(str(file.locate()), target)
