"""Tests of the public face: what ``import koebin`` offers, and that a folder's own modules cannot get in its way."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import koebin

ROOT = Path(koebin.__file__).resolve().parents[1]
FACE = [
    "TTS",
    "Audio",
    "Chapter",
    "Client",
    "Dictionary",
    "JobOptions",
    "KoebinError",
    "Mark",
    "Marks",
    "Output",
    "Passage",
    "Pauses",
    "Reading",
    "Request",
    "Result",
    "Script",
    "Settings",
    "Speaker",
    "Status",
    "SynthesisOptions",
    "engine_revision",
    "errors",
]


def test_the_face_is_pinned() -> None:
    assert koebin.__all__ == FACE


@pytest.mark.parametrize("name", FACE)
def test_every_name_is_there(name: str) -> None:
    found = getattr(koebin, name)
    assert name == "errors" or found.__name__ == name


def test_other_names_are_refused() -> None:
    with pytest.raises(AttributeError, match="koebin"):
        koebin.WebhookSender  # noqa: B018


@pytest.mark.parametrize("module", ["koebin", "koebin.producers.client", "koebin.producers.cli", "koebin.worker.run"])
def test_a_folder_with_modules_of_our_rooms_names_is_in_nobodys_way(module: str, tmp_path: Path) -> None:
    """A tutorial's ``tasks.py`` stands in the folder from which a user's own program starts."""
    for name in ("tasks", "worker", "engine", "producers"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('the wrong module')\n")
    (tmp_path / "mine.py").write_text(
        f"import sys, {module}\n"
        "from koebin import Client, Script, TTS\n"
        "print(sorted({'engine', 'tasks', 'worker', 'producers'} & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "mine.py"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.stdout.strip(), done.stderr) == ("[]", "")


def test_our_processes_start_beside_modules_of_libraries_names(tmp_path: Path) -> None:
    for name in ("tasks", "worker", "engine", "celery", "platform"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('the wrong module')\n")
    command = [sys.executable, "-P", "-m", "koebin", "worker", "--help"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "--speakers" in done.stdout


def test_processes_of_our_own_start_without_the_current_folder() -> None:
    """Every ``python -m koebin…`` that our code starts has ``-P``."""
    starts = 0
    for path in (ROOT / room for room in ("engine", "tasks", "worker", "producers")):
        for file in path.rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                if isinstance(node, (ast.List, ast.Tuple)):
                    words = [item.value for item in node.elts if isinstance(item, ast.Constant)]
                    if "-m" in words:
                        starts += 1
                        assert "-P" in words, file
    assert starts > 1
