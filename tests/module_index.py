"""Index of the tests by the modules that they belong to, so that ``pytest -k ledger`` finds the ledger's tests.

A test belongs to the modules that its file imports, and to those that ``THROUGH_PROCESSES`` gives it: modules that run
in processes of their own, or that only another module uses.
"""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[1]
ROOMS: Final = ("engine", "tasks", "worker", "producers")

THROUGH_PROCESSES: Final[dict[str, tuple[str, ...]]] = {}
"""Test file below ``tests/`` -> modules that it tests without importing them, as paths without ``.py``."""


@cache
def modules() -> frozenset[str]:
    """Every module of the four packages, as a path without ``.py``; packages themselves are left out."""
    found = (path.relative_to(ROOT) for room in ROOMS for path in (ROOT / room).rglob("*.py"))
    return frozenset(str(path.with_suffix("")) for path in found if path.name != "__init__.py")


@cache
def modules_of(test: Path) -> frozenset[str]:
    """The modules that a test file belongs to."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(test.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
    paths = {name.removeprefix("koebin.").replace(".", "/") for name in names if name.startswith("koebin.")}
    mirrored = _mirrored(test)
    listed = THROUGH_PROCESSES.get(str(test.relative_to(ROOT / "tests")), ())
    return frozenset({*paths, *mirrored, *listed} & modules())


def _mirrored(test: Path) -> set[str]:
    """``tests/unit/engine/audio/test_marks.py`` belongs to ``engine/audio/marks``."""
    parts = test.relative_to(ROOT / "tests").with_suffix("").parts
    return {"/".join((*parts[1:-1], parts[-1].removeprefix("test_")))}
