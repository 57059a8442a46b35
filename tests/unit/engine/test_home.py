"""Paths that begin with ``~``."""

import os
from pathlib import Path

import pytest

from koebin.engine.errors import ConfigurationError
from koebin.engine.home import expanded


def test_a_home_is_taken_where_there_is_one(monkeypatch):
    monkeypatch.setenv("HOME", "/home/someone")
    assert expanded("~/.cache") == Path("/home/someone/.cache")
    assert expanded("/etc/koebin") == Path("/etc/koebin")


def test_a_uid_without_one_has_its_own_folder(monkeypatch, tmp_path):
    def none(self):
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "expanduser", none)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    own = tmp_path / f"koebin-{os.getuid()}"
    assert expanded("~/.cache/koebin") == own / "home/.cache/koebin"
    own.mkdir()
    monkeypatch.setattr("os.getuid", lambda: 54321)
    (tmp_path / "koebin-54321").mkdir()
    if (tmp_path / "koebin-54321").stat().st_uid != 54321:
        with pytest.raises(ConfigurationError, match="no home"):
            expanded("~/.cache")
