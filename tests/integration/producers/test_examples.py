"""Every example does what examples/README.md says, through the command and a real worker."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import soundfile

from koebin.producers.formats.load import load_script
from koebin.producers.formats.speaker_names import Voice
from tests.integration.producers.commands.test_narrate import Koebin, path_of
from tests.servers.ports import free_ports, wait_for_port
from tests.servers.redis import RedisServer
from tests.servers.waiting import PATIENCE, wait_until
from tests.servers.worker import Worker

pytestmark = pytest.mark.xdist_group("examples")

ROOT = Path(__file__).parents[3]
EXAMPLES = ROOT / "examples"
LONG = ("kumo_no_ito.txt", "yume_juya_1.txt")
SHORT = ("announcement.ssml", "book.md", "dialogue.dialogue", "lines.jsonl", "markup.txt", "mori.epub")
PROGRAMS = ("client.py", "demo.sh", "fastapi_app.py", "webhook.py")
OTHER = ("README.md", "briefings", "dictionary.toml")


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    store = tmp_path_factory.mktemp("store").as_uri()
    settings = {"webhook_private": "true", "webhook_secret": "s3cret", "sweep_interval": 0.3}
    with RedisServer() as server, Worker(server.url, store, "mei,ken", settings=settings):
        yield {"KOEBIN_BROKER_URL": server.url, "KOEBIN_STORE": store}


@pytest.fixture
def koebin(deployment: dict[str, str]) -> Koebin:
    return Koebin(deployment["KOEBIN_BROKER_URL"], Path(deployment["KOEBIN_STORE"].removeprefix("file://")))


def test_each_example_is_explained_and_tested() -> None:
    names = {path.name for path in EXAMPLES.iterdir()} - {"__pycache__"}
    assert names == {*LONG, *SHORT, *PROGRAMS, *OTHER}
    readme = (EXAMPLES / "README.md").read_text()
    assert [name for name in (*LONG, *SHORT, *PROGRAMS) if f"`{name}`" not in readme] == []


@pytest.mark.parametrize("name", LONG)
def test_long_texts_are_planned(koebin: Koebin, name: str) -> None:
    plan = koebin.json("narrate", EXAMPLES / name, "--dry-run")
    assert plan["seconds"] > 120


@pytest.mark.parametrize("name", SHORT)
def test_short_texts_are_spoken(koebin: Koebin, name: str) -> None:
    outcome = koebin.json("narrate", EXAMPLES / name, "-f", "mp3")
    assert outcome["state"] == "SUCCEEDED"
    assert all(path_of(file).stat().st_size == file["bytes"] for file in outcome["files"])
    assert outcome["result"]["duration_seconds"] > 8


def test_a_book_of_pandoc_keeps_its_chapters_cover_and_readings() -> None:
    script = load_script(EXAMPLES / "mori.epub", Voice("mei"))
    assert (script.title, script.author) == ("森の小さな郵便局", "声便")
    assert script.cover is not None
    assert script.cover.media_type == "image/png"
    assert [chapter.title for chapter in script.chapters][-2:] == ["はじめの手紙", "雨の日"]
    assert [passage.text for passage in script.passages][-5:] == [
        "はじめの手紙",
        "森のおくに、狐の郵便局がありました。",
        "切手は木の葉でした。",
        "雨の日",
        "雨の日も、局長は傘をさして、手紙を配りました。",
    ]
    assert [reading.kana for passage in script.passages for reading in passage.readings] == ["きつね"]


def test_the_client(deployment: dict[str, str]) -> None:
    done = subprocess.run(
        [sys.executable, EXAMPLES / "client.py"],
        env={**os.environ, **deployment},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=PATIENCE,
    )
    plan, *lines = done.stdout.splitlines()
    assert plan.startswith("2 sentences, 0 of them stored, about ")
    files = [Path(line.removeprefix("file://")) for line in lines if line.startswith("file://")]
    assert lines[: -len(files)] == ["submitted", "chunk", "chunk", "assembling", "ended"]
    assert [path.suffix for path in files if path.is_file()] == [".mp3", ".json", ".srt"]
    assert soundfile.info(files[0]).duration > 2


def test_the_receiver_of_webhooks(koebin: Koebin, tmp_path: Path) -> None:
    (tmp_path / "one.txt").write_text("終わりました。")
    (port,) = free_ports(1)
    log = tmp_path / "log"
    with log.open("w") as output:
        command = [sys.executable, EXAMPLES / "webhook.py", str(port)]
        receiver = subprocess.Popen(command, env={**os.environ, "SECRET": "s3cret"}, stdout=output)
    try:
        wait_for_port(port, receiver)
        address = f"http://127.0.0.1:{port}/"
        job = koebin("narrate", tmp_path / "one.txt", "--detach", "--webhook", address).stdout.strip()
        wait_until(lambda: log.read_text() != "")
    finally:
        receiver.kill()
        receiver.wait()
    told, state, address = log.read_text().split()
    assert (told, state) == (job, "SUCCEEDED")
    assert Path(address.removeprefix("file://")).is_file()
