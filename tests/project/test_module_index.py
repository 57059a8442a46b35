"""Tests of the index by which ``pytest -k`` finds the tests of a module."""

from __future__ import annotations

from pathlib import Path

from tests.module_index import ROOT, modules, modules_by_test

TESTS = ROOT / "tests"


def files_of(module: str) -> set[Path]:
    return {test.relative_to(TESTS) for test, own in modules_by_test().items() if module in own}


def test_every_module_has_tests() -> None:
    assert modules() - set().union(*modules_by_test().values()) == set()


def test_a_module_is_found_by_its_mirror_by_imports_and_through_what_uses_it() -> None:
    assert Path("unit/engine/audio/test_silence.py") in files_of("engine/audio/silence")
    assert Path("integration/tasks/jobs/test_webhooks.py") in files_of("tasks/jobs/ledger")
    assert Path("unit/engine/audio/encoding/test_encoding.py") in files_of("engine/audio/encoding/id3")
