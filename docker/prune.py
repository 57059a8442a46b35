"""Pruning of an environment: removes files that no worker opens; prints their size in megabytes.

    prune.py PREFIX [packages that go as a whole ...]

What is not there is passed over: Pythons and their packages differ in that.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterable, Sequence
from importlib.metadata import Distribution, distributions
from pathlib import Path
from typing import Final

PARTS: Final = {
    "testing": ("**/tests",),
    "building": ("numpy/distutils", "numpy/f2py"),
    "preparing models": ("onnxruntime/quantization", "onnxruntime/tools", "onnxruntime/transformers"),
    # What Python loads is onnxruntime_pybind11_state, which holds the same code once more.
    "C programs": ("onnxruntime/capi/libonnxruntime.so.*",),
}
"""Parts of packages, below ``site-packages``, by what they are for."""

AWS: Final = frozenset({"s3", "signin", "sso", "sso-oidc", "sts"})
"""Services of AWS that a worker speaks to: its store, and those that say who it is."""


def main(prefix: Path, packages: Sequence[str]) -> None:
    """Prune an environment where it lies."""
    (site,) = prefix.glob("lib/python3*/site-packages")
    installed = {_canonical(package.name): package for package in distributions(path=[str(site)])}
    for name in packages:
        _leave_out(name, _files(installed[name]) if name in installed else [])
    for purpose, patterns in PARTS.items():
        _leave_out(purpose, [path for pattern in patterns for path in site.glob(pattern)])
    services = [path for path in (site / "botocore/data").iterdir() if path.is_dir() and path.name not in AWS]
    _leave_out("other services of AWS", services)
    _strip(site)
    _remove_empty(site)
    print(f"{_megabytes([prefix]):7.1f} MB are left")


def _canonical(name: str) -> str:
    return name.lower().replace("_", "-")


def _files(package: Distribution) -> list[Path]:
    return [Path(str(package.locate_file(file))) for file in package.files or ()]


def _leave_out(purpose: str, paths: Iterable[Path]) -> None:
    there = [path for path in paths if path.exists()]
    print(f"{_megabytes(there):7.1f} MB  {purpose}")
    for path in there:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()


def _strip(site: Path) -> None:
    """Symbols that only a debugger reads, of modules; libraries that wheels bring along have been patched, and stay."""
    modules = [*site.rglob("*.cpython-*.so"), *site.rglob("*.abi3.so")]
    before = _megabytes(modules)
    subprocess.run(["strip", "--strip-unneeded", *modules], check=True)
    print(f"{before - _megabytes(modules):7.1f} MB  debugging")


def _remove_empty(site: Path) -> None:
    """An empty folder can still be imported, and seems to be a package that is installed."""
    for folder in sorted((path for path in site.rglob("*") if path.is_dir()), reverse=True):
        if not any(folder.iterdir()):
            folder.rmdir()


def _megabytes(paths: Iterable[Path]) -> float:
    files = [file for path in paths for file in ([path] if path.is_file() else path.rglob("*"))]
    return sum(file.lstat().st_size for file in files if not file.is_dir()) / 1e6


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
