"""One GPU a process, with real processes and real locks; only the driver's list is given."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from celery import Celery

from koebin.engine.errors import BackendMissing, ConfigurationError, InvalidOption
from koebin.tasks.broker.fleet import ServedSpeaker
from koebin.tasks.settings import Settings
from koebin.worker.child import engine_process as lifecycle
from koebin.worker.child.gpu_claim import claim_device, device_names
from koebin.worker.parent.run_directory import RunDirectory
from tests.servers.worker import ROOT

_CLAIM = """
import sys
from pathlib import Path
from koebin.engine.errors import KoebinError
from koebin.worker.child.gpu_claim import claim_device
wanted, folder, names, shared = sys.argv[1:]
try:
    claimed = claim_device(wanted, Path(folder), lambda: names.split(","), shared=shared == "shared", patience=0)
    print(claimed, flush=True)
except KoebinError as error:
    print(error, flush=True)
sys.stdin.read()
"""


@contextmanager
def process(folder: Path, wanted: str, names: str = "0,1", shared: str = "") -> Iterator[tuple[int, str]]:
    """Claims, says what it got, and lives until the block ends."""
    command = [sys.executable, "-c", _CLAIM, wanted, str(folder), names, shared]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        try:
            yield running.pid, running.stdout.readline().strip()
        finally:
            running.send_signal(signal.SIGKILL)


def test_each_process_gets_another_device_and_there_is_none_for_one_more(tmp_path: Path) -> None:
    with process(tmp_path, "cuda") as (first, one), process(tmp_path, "cuda") as (second, two):
        assert (one, two) == ("cuda:0", "cuda:1")
        with pytest.raises(ConfigurationError, match=f"cuda:0 by process {first}, cuda:1 by process {second}"):
            claim_device("cuda", tmp_path, lambda: ["0", "1"], patience=0)
    with process(tmp_path, "cuda") as (_, after):
        assert after == "cuda:0", "the kernel gave back what killed processes held"


def test_a_device_that_is_named_is_claimed_too(tmp_path: Path) -> None:
    with process(tmp_path, "cuda:1") as (_, named), process(tmp_path, "cuda") as (_, found):
        assert (named, found) == ("cuda:1", "cuda:0")
        with process(tmp_path, "cuda:1") as (_, refused):
            assert "in use by" in refused
            assert "cuda:1 by process" in refused


def test_the_numbers_of_processes_that_see_different_devices_do_not_clash(tmp_path: Path) -> None:
    with process(tmp_path, "cuda:0", names="2") as (_, one), process(tmp_path, "cuda:0", names="3") as (_, two):
        assert (one, two) == ("cuda:0", "cuda:0")
        with process(tmp_path, "cuda", names="2,3,GPU-5a") as (_, left):
            assert left == "cuda:2"


def test_those_that_all_say_so_share_and_nobody_else_joins_them(tmp_path: Path) -> None:
    with (
        process(tmp_path, "cuda:0", shared="shared") as (_, one),
        process(tmp_path, "cuda:0", shared="shared") as (_, two),
    ):
        assert (one, two) == ("cuda:0", "cuda:0")
        with process(tmp_path, "cuda:0") as (_, alone):
            assert "in use by" in alone


def test_one_that_is_going_is_waited_for(tmp_path: Path) -> None:
    with process(tmp_path, "cuda", names="0"):
        pass
    assert claim_device("cuda", tmp_path, lambda: ["0"], patience=5) == "cuda:0"


def test_devices_that_do_not_exist_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BackendMissing, match="no CUDA device"):
        claim_device("cuda", tmp_path, list)
    with pytest.raises(BackendMissing, match="only 2 CUDA devices"):
        claim_device("cuda:2", tmp_path, lambda: ["0", "1"])
    assert not list(tmp_path.iterdir())


def test_a_cpu_needs_no_claim(tmp_path: Path) -> None:
    def never() -> list[str]:
        raise AssertionError("the driver was asked")

    assert claim_device("cpu", tmp_path, never) == "cpu"


@pytest.mark.parametrize(
    ("count", "visible", "names"),
    [
        (2, None, ["0", "1"]),
        (2, "3,1", ["3", "1"]),
        (1, " GPU-8932f937-d72c-4106-c12f-20bd9faed9f6 ", ["GPU-8932f937-d72c-4106-c12f-20bd9faed9f6"]),
        (0, "", []),
        (2, "0,1,7", ["0", "1"]),
    ],
)
def test_a_device_is_called_what_all_processes_call_it(count: int, visible: str | None, names: list[str]) -> None:
    assert device_names(count, visible) == names


@pytest.mark.parametrize("name", ["cuda:-1", "cuda:", "cudax", "gpu"])
def test_what_is_no_device_is_not_claimed(tmp_path: Path, name: str) -> None:
    with pytest.raises(InvalidOption):
        claim_device(name, tmp_path, lambda: ["0"])


def test_the_memory_that_a_worker_shows_is_that_of_the_gpu_it_claimed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def engine(_settings: Settings, device: str) -> Any:
        return SimpleNamespace(device=device, speakers={"mei": None})

    watched: list[str] = []
    monkeypatch.setattr(lifecycle, "claim_device", lambda *_, **__: "cuda:1")
    monkeypatch.setattr(lifecycle, "load_voices", engine)
    monkeypatch.setattr(lifecycle, "gpu_memory", watched.append)
    monkeypatch.setattr(lifecycle, "_served", lambda _: ServedSpeaker("mei", (), 48000, "ab12", 1.0))
    for name in ("install", "listen"):
        monkeypatch.setattr(lifecycle, name, lambda _: None)
    settings = Settings(device="cuda", speakers=("mei",), broker_url="redis://localhost:1", run_dir=tmp_path)
    metrics: Any = SimpleNamespace(watch_tasks=lambda _: None)
    lifecycle._build(Celery(), settings, RunDirectory(tmp_path), metrics, "w")
    assert watched == ["cuda:1"]
