"""The koebin command: what it refuses and how, and a narration with nothing set up."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from typer.testing import CliRunner

from koebin.engine.audio.encoding import decode_segment
from koebin.producers import exits
from koebin.producers.cli import app
from tests.servers.ports import free_ports

BEEP = "こん\x07にちは。"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    assert not (tmp_path / "out" / "jobs").exists() or (tmp_path / "keep").exists(), "something was queued"


def koebin(*arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, list(arguments))
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, done.output


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "empty"),
        (b" \n\t\n", "empty"),
        (BEEP.encode(), "line 1, column 3: a control character"),
        (bytes(range(256)) * 20, "binary"),
        ("あ".encode() * 3_400_000, "characters"),
        ("ก".encode(), "line 1, column 1"),
    ],
    ids=["empty", "blank", "control", "binary", "long line", "script"],
)
def test_a_bad_file_is_refused_with_its_place(home: Path, content: bytes, message: str) -> None:
    (home / "book.txt").write_bytes(content)
    code, output = koebin("narrate", "book.txt")
    assert code == exits.INVALID
    assert output.startswith("error: ")
    assert message in output


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["narrate", "nowhere.txt"], exits.INVALID, "no such file"),
        (["narrate", "good.txt", "--speaker", "mey"], exits.NOT_FOUND, "Did you mean mei"),
        (["narrate", "good.txt", "--speaker", "../x"], exits.INVALID, "not a valid speaker name"),
        (["narrate", "good.txt", "--speed", "0"], exits.INVALID, "speed is out of range"),
        (["narrate", "good.txt", "--speed", "nan"], exits.INVALID, "speed is not a finite number"),
        (["narrate", "good.txt", "--format", "aac"], exits.INVALID, "no such format"),
        (["narrate", "good.txt", "--store", "/dev/null/x"], exits.UNAVAILABLE, "store"),
        (["say", "", "-o", "a.wav"], exits.INVALID, "empty"),
        (["say", "あ", "-o", "nowhere/a.wav"], exits.UNAVAILABLE, "no such folder"),
        (["say", "あ", "-o", "a.xyz"], exits.INVALID, "not a known audio format"),
        (["say", "あ", "--style", "Angry", "-o", "a.wav"], exits.NOT_FOUND, "Neutral"),
        (["status", "x"], exits.INVALID, "KOEBIN_BROKER_URL"),
    ],
)
def test_a_mistake_is_named(home: Path, arguments: list[str], code: int, message: str) -> None:
    (home / "good.txt").write_text("良い文です。", encoding="utf-8")
    got, output = koebin(*arguments)
    assert (got, message in output) == (code, True), output
    assert not (home / "a.wav").exists()


def test_a_broker_that_is_down_is_named_without_its_password(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / "good.txt").write_text("良い文です。", encoding="utf-8")
    monkeypatch.setenv("KOEBIN_BROKER_URL", f"redis://:hunter2@127.0.0.1:{free_ports(1)[0]}/0")
    code, output = koebin("narrate", "good.txt")
    assert code == exits.UNAVAILABLE
    assert "does not answer" in output
    assert "hunter2" not in output


def test_an_unknown_variable_stops_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KOEBIN_STOER", "x")
    code, output = koebin("speakers")
    assert code == exits.INVALID
    assert "KOEBIN_STORE" in output


def test_say_into_a_file(home: Path) -> None:
    code, output = koebin("say", "こんにちは。", "-o", "hello.flac", "--json")
    assert code == exits.OK
    document = json.loads(output)
    assert decode_segment((home / "hello.flac").read_bytes()).duration_seconds == document["duration_seconds"]


def test_a_narration_with_nothing_set_up_leaves_nothing_running(home: Path) -> None:
    (home / "keep").touch()
    (home / "book.txt").write_text("一つ目の文です。\n\n二つ目の文です。", encoding="utf-8")
    before = {child.pid for child in psutil.Process().children(recursive=True)}
    code, output = koebin("narrate", "book.txt", "--format", "mp3", "--subtitles", "srt")
    assert code == exits.OK, output
    assert "starting a private server" in output
    assert "speed factor" in output
    uris = [line.split("\t")[0] for line in output.splitlines() if line.startswith("file://")]
    assert [Path(uri.removeprefix("file://")).suffix for uri in uris][:3] == [".mp3", ".json", ".srt"]
    assert all(Path(uri.removeprefix("file://")).stat().st_size for uri in uris)
    assert {child.pid for child in psutil.Process().children(recursive=True)} == before
    assert not subprocess.run(["pgrep", "-f", str(home)], capture_output=True, text=True, check=False).stdout


@pytest.mark.parametrize("scheme", ["redis", "rediss", "sentinel"])
def test_doctor_names_what_fails_and_repeats_no_secret(scheme: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (port,) = free_ports(1)
    secrets = {
        "KOEBIN_BROKER_URL": f"{scheme}://someone:hunter2@127.0.0.1:{port}/0",
        "KOEBIN_STORE": "s3://nowhere/audio",
        "KOEBIN_S3_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "KOEBIN_S3_ACCESS_KEY_ID": "hunter3",
        "KOEBIN_S3_SECRET_ACCESS_KEY": "hunter4",
        "KOEBIN_HF_TOKEN": "hunter5",
        "KOEBIN_WEBHOOK_SECRET": "hunter6",
    }
    for name, value in secrets.items():
        monkeypatch.setenv(name, value)
    for options in ([], ["--json"]):
        code, output = koebin("doctor", *options)
        assert code == exits.FAILED
        assert "hunter" not in output
    assert "broker" in output
    assert f"127.0.0.1:{port}" in output


def test_doctor_says_that_the_device_is_not_there(monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    monkeypatch.setenv("KOEBIN_DEVICE", "cuda:99")
    code, output = koebin("doctor")
    assert code == exits.FAILED
    assert re.search(
        r"^FAILED\tdevice\t(no CUDA device was found|there are only \d+ CUDA devices): 'cuda:99'", output, re.MULTILINE
    )


@pytest.mark.parametrize("device", ["cudax", "cuda:-1", "gpu"])
def test_doctor_names_what_is_no_device(monkeypatch: pytest.MonkeyPatch, home: Path, device: str) -> None:
    """Where there are GPUs: without one, no name is looked at."""
    monkeypatch.setattr("koebin.producers.commands.doctor.cuda_devices", lambda: ["0", "1"])
    monkeypatch.setenv("KOEBIN_DEVICE", device)
    code, output = koebin("doctor")
    assert code == exits.FAILED
    assert f"FAILED\tdevice\tnot a valid device: '{device}'" in output
