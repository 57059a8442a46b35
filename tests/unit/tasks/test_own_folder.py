"""The run folder: this user's alone, or refused."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from koebin.engine.errors import ConfigurationError
from koebin.tasks.own_folder import own_folder
from koebin.tasks.settings import Settings
from koebin.worker.parent.health import read_health
from koebin.worker.parent.run_directory import RunDirectory


def test_a_new_folder_is_made_for_this_user_alone(tmp_path: Path) -> None:
    assert own_folder(tmp_path / "a" / "run").stat().st_mode & 0o777 == 0o700
    own_folder(tmp_path / "a" / "run")


def test_a_link_that_was_placed_first_is_refused_and_not_followed(tmp_path: Path) -> None:
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    (tmp_path / "run").symlink_to(theirs)
    for use in (own_folder, read_health, lambda path: RunDirectory(path / "worker-1").create()):
        with pytest.raises(ConfigurationError, match="link"):
            use(tmp_path / "run")
    assert not list(theirs.iterdir())


@pytest.mark.parametrize("mode", [0o770, 0o707, 0o1777])
def test_a_folder_that_others_may_write_to_is_refused(mode: int, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run").chmod(mode)
    with pytest.raises(ConfigurationError, match="others may write"):
        own_folder(tmp_path / "run")


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a folder away")
def test_another_users_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir(mode=0o700)
    os.chown(tmp_path / "run", 12345, 12345)
    with pytest.raises(ConfigurationError, match="another user"):
        own_folder(tmp_path / "run")


def test_a_file_in_its_place_is_refused(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("")
    with pytest.raises(ConfigurationError):
        own_folder(tmp_path / "run")
    with pytest.raises(ConfigurationError):
        own_folder(tmp_path / "run" / "below")


def test_the_sessions_folder_is_preferred_and_scratch_lies_on_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    assert Settings().run_folder() == tmp_path / "koebin"
    assert Settings().scratch_folder().name == f"koebin-{os.getuid()}"
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "gone"))
    assert Settings().run_folder() == Settings().scratch_folder()
    chosen = Settings(run_dir=tmp_path / "mine")
    assert chosen.run_folder() == chosen.scratch_folder() == tmp_path / "mine"


def test_both_folders_come_and_go_with_the_worker(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path / "run" / "worker-1", tmp_path / "scratch" / "worker-1")
    (tmp_path / "scratch" / "worker-999999999").mkdir(parents=True)
    run.create()
    assert run.path.is_dir()
    assert run.scratch.is_dir()
    assert not (tmp_path / "scratch" / "worker-999999999").exists()
    run.remove()
    assert not run.path.exists()
    assert not run.scratch.exists()
