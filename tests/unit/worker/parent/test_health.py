"""Liveness and readiness of a worker, as its parent writes them and ``koebin health`` reads them."""

from pathlib import Path

import pytest

from koebin.worker.parent.health import health_text, read_health


@pytest.mark.parametrize(
    ("problem", "consuming", "live", "ready"),
    [
        ("", ("speaker.mei",), True, True),
        ("", (), True, False),
        ("deaf", ("speaker.mei",), False, False),
    ],
)
def test_ready_is_who_lives_and_consumes(
    problem: str, consuming: tuple[str, ...], live: bool, ready: bool, tmp_path: Path
) -> None:
    folder = tmp_path / "worker-1"
    folder.mkdir()
    (folder / "health.json").write_text(health_text(problem=problem, consuming=consuming))
    (found,) = read_health(tmp_path)
    assert (found.live, found.ready) == (live, ready)
