"""Words of the code: module docstrings begin with a noun, terms stand in the glossary, retired names stay away."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MODULES = sorted(
    path.relative_to(ROOT).as_posix()
    for folder in ("engine", "tasks", "worker", "producers", "benchmarks", "tests", "docker", "examples")
    for path in (ROOT / folder).rglob("*.py")
)
QUESTIONS = "What|Which|Where|When|Who|Whose|How|Why|May|Can|Does|Do|Is|Are|From|Whether"
RETIRED = {
    *("Keeper", "Courier", "Sweep", "Storing", "Holds", "Precedence", "Wishes", "VoiceRegistry"),
    *("put_off", "park", "bury", "exhume", "makes_way", "see_off"),
}
"""Names that had a standard term; see ``docs/glossary.md``."""


def docstring(path: str) -> str:
    return ast.get_docstring(ast.parse((ROOT / path).read_text(encoding="utf-8"))) or ""


def test_the_modules_are_found():
    assert len(MODULES) > 400


@pytest.mark.parametrize("folder", ["engine", "tasks", "worker", "producers", "benchmarks", "docker", "examples"])
def test_every_module_says_what_it_is(folder):
    silent = [
        path
        for path in MODULES
        if path.startswith(f"{folder}/") and (ROOT / path).read_text(encoding="utf-8").strip() and not docstring(path)
    ]
    assert silent == []


def test_a_modules_docstring_begins_with_a_noun():
    questions = [path for path in MODULES if re.match(rf"({QUESTIONS})\b", docstring(path))]
    assert questions == []


def test_retired_names_stay_away():
    found = []
    for path in MODULES:
        tokens = tokenize.generate_tokens(io.StringIO((ROOT / path).read_text(encoding="utf-8")).readline)
        found += [f"{path}: {one.string}" for one in tokens if one.type == tokenize.NAME and one.string in RETIRED]
    assert found == []


def test_the_glossary_has_every_term_once_in_both_languages():
    rows = [
        [cell.strip() for cell in line.strip().strip("|").split("|")]
        for line in (ROOT / "docs/glossary.md").read_text(encoding="utf-8").splitlines()
        if line.startswith("|") and not line.startswith(("|---", "| term"))
    ]
    assert len(rows) > 50
    assert all(len(row) == 4 and all(row) for row in rows)
    terms = [row[0].casefold() for row in rows]
    assert len(terms) == len(set(terms))
    assert all(re.search(r"[぀-ヿ一-鿿]", row[1] + row[3]) for row in rows)
