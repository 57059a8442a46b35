"""Index of the tests by the modules that they belong to, so that ``pytest -k ledger`` finds the ledger's tests.

A test belongs to the module that its file mirrors and to those that its file imports. A module that no test imports is
tested through the modules that import it: an encoder through the writer, a command through the command line.
"""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[1]
ROOMS: Final = ("engine", "tasks", "worker", "producers")


@cache
def modules() -> frozenset[str]:
    """Every module of the four packages, as a path without ``.py``; packages themselves are left out."""
    found = (path.relative_to(ROOT) for room in ROOMS for path in (ROOT / room).rglob("*.py"))
    return frozenset(str(path.with_suffix("")) for path in found if path.name != "__init__.py")


@cache
def modules_by_test() -> Mapping[Path, frozenset[str]]:
    """Test file -> the modules that it belongs to."""
    tests = {test: imported(test) | mirrored(test) for test in (ROOT / "tests").rglob("test_*.py")}
    users = defaultdict(set)
    for module in modules():
        for used in imported(ROOT / f"{module}.py"):
            users[used].add(module)
    found: dict[str, set[Path]] = defaultdict(set)
    for test, own in tests.items():
        for module in own:
            found[module].add(test)
    left = modules() - found.keys()
    while reached := {module for module in left if users[module] & found.keys()}:
        through = {module: set[Path]().union(*(found.get(user, set()) for user in users[module])) for module in reached}
        found.update(through)
        left -= reached
    return {test: frozenset(module for module, by in found.items() if test in by) for test in tests}


def imported(file: Path) -> frozenset[str]:
    """The modules that a file imports, also by a name such as ``koebin.worker.run:main`` or ``docx``, a neighbour."""
    names: set[str] = set()
    strings: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            strings.add(node.value)
    names |= {text.partition(":")[0] for text in strings}
    paths = {name.removeprefix("koebin.").replace(".", "/") for name in names if name.startswith("koebin.")}
    folder = file.parent.relative_to(ROOT)
    return frozenset((paths | {f"{folder}/{text}" for text in strings}) & modules())


def mirrored(test: Path) -> frozenset[str]:
    """``tests/unit/engine/audio/test_marks.py`` belongs to ``engine/audio/marks``."""
    parts = test.relative_to(ROOT / "tests").with_suffix("").parts
    return frozenset({"/".join((*parts[1:-1], parts[-1].removeprefix("test_")))} & modules())
