"""Units of systemd, by systemd's own judgement and against the code."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from typer.main import get_command

from koebin.producers import exits
from koebin.producers.cli import app
from koebin.tasks.settings import Settings

ROOT = Path(__file__).parents[3]
UNITS = sorted((ROOT / "deploy/systemd").glob("*.service"))
needs_systemd = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
MOST_EXPOSED = 30
"""Of 100, by ``systemd-analyze security``; a service that restricts nothing has 96."""


def values(unit: Path, name: str) -> list[str]:
    return re.findall(rf"^{name}=(.*)$", unit.read_text(), re.MULTILINE)


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """The units, with a command that is here; the instance has a name."""
    for unit in UNITS:
        text = unit.read_text().replace("/opt/koebin/bin/koebin", sys.executable)
        (tmp_path / unit.name.replace("@", "@1")).write_text(text)
    return tmp_path


@needs_systemd
def test_systemd_finds_nothing_wrong(installed: Path) -> None:
    units = [str(path) for path in sorted(installed.glob("*.service"))]
    done = subprocess.run(["systemd-analyze", "verify", *units], capture_output=True, text=True, check=False)
    ours = [line for line in (done.stdout + done.stderr).splitlines() if "koebin" in line]
    assert (done.returncode, ours) == (0, [])
    wrong = installed / "koebin-wrong.service"
    wrong.write_text(UNITS[0].read_text().replace("KillMode=", "KilMode="))
    done = subprocess.run(["systemd-analyze", "verify", str(wrong)], capture_output=True, text=True, check=False)
    assert "KilMode" in done.stdout + done.stderr, "it would have found a misspelt directive"


@needs_systemd
@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_little_is_left_open(unit: Path, installed: Path) -> None:
    command = ["systemd-analyze", "security", "--offline=true", f"--threshold={MOST_EXPOSED}"]
    path = installed / unit.name.replace("@", "@1")
    done = subprocess.run([*command, str(path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, (done.stdout + done.stderr)[-2000:]


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_commands_and_settings_are_ours(unit: Path) -> None:
    (start,) = values(unit, "ExecStart")
    _, command, *options = start.split()
    known = get_command(app).commands[command]  # type: ignore[attr-defined]
    flags = {flag for parameter in known.params for flag in parameter.opts}
    assert {option for option in options if option.startswith("--")} <= flags
    for pair in " ".join(values(unit, "Environment")).split():
        assert pair.partition("=")[0].removeprefix("KOEBIN_").lower() in Settings.model_fields
    assert values(unit, "RestartPreventExitStatus") == [str(exits.INVALID)]


def test_a_worker_is_killed_no_sooner_than_it_may_leave() -> None:
    unit = next(unit for unit in UNITS if "worker" in unit.name)
    assert float(values(unit, "TimeoutStopSec")[0]) >= Settings.model_fields["grace_period"].default + 15
    assert values(unit, "KillMode") == ["mixed"]
    assert values(unit, "OOMPolicy") == ["continue"]
