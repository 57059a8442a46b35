"""docs/limits.md against the modules that hold the bounds."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest

from koebin.engine import limits

ROOT = Path(__file__).resolve().parents[2]
ROW = re.compile(r"\| `([A-Z_0-9]+)`(?: \(`([a-z_/]+)\.py`\))? \| (.+?) \| (.+?) \| (.+?) \| (.+?) \|")
ROWS = ROW.findall((ROOT / "docs" / "limits.md").read_text(encoding="utf-8"))
NAMES = [name for name in vars(limits) if name.isupper()]


def shown(name: str, value: float) -> str:
    """A bound as the page shows it."""
    if name.endswith("_BYTES"):
        units = (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10))
        fitting = [f"{value // size} {unit}" for unit, size in units if value >= size and value % size == 0]
        return fitting[0] if fitting else f"{value:,} bytes"
    if name.endswith("_SECONDS"):
        return f"{value:,.0f} s"
    return f"{value:.0%}" if name.endswith("_SHARE") else f"{value:,}"


@pytest.mark.parametrize(("name", "module", "what", "value", "where", "error"), ROWS, ids=[row[0] for row in ROWS])
def test_the_page_tells_the_bound_as_it_is(
    name: str, module: str, what: str, value: str, where: str, error: str
) -> None:
    home = importlib.import_module("koebin." + (module or "engine/limits").replace("/", "."))
    assert value == shown(name, getattr(home, name))
    assert all((what, where, error))


def test_every_bound_is_on_the_page_once() -> None:
    listed = [name for name, module, *_ in ROWS if not module]
    assert sorted(listed) == sorted(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_bound_is_used(name: str) -> None:
    folders = [ROOT / folder for folder in ("engine", "tasks", "worker", "producers")]
    sources = (path for folder in folders for path in folder.rglob("*.py") if path.name != "limits.py")
    assert any(re.search(rf"\b{name}\b", path.read_text(encoding="utf-8")) for path in sources)
