"""The commands, as a user types them, and a briefing all the way to its published audio."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from koebin.producers.briefings.access_policy import Policy
from koebin.producers.briefings.briefing_file import load_briefing, load_folder
from koebin.producers.briefings.compose import compose, preview
from koebin.producers.briefings.findings import check
from koebin.producers.briefings.publish import edition_of, publish
from koebin.producers.commands.briefing import app
from koebin.tasks.stores.base import StoreOptions
from koebin.tasks.stores.uri import open_store
from tests.servers.s3 import S3Server
from tests.servers.waiting import PATIENCE, wait_until

EXAMPLES = Path(__file__).resolve().parents[4] / "examples" / "briefings"
MONDAY = datetime(2026, 11, 29, 22, 0, tzinfo=UTC)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A copy of the examples, as the only briefings there are."""
    for name in [name for name in os.environ if name.startswith("KOEBIN_")]:
        monkeypatch.delenv(name)
    shutil.copytree(EXAMPLES, tmp_path / "briefings")
    monkeypatch.setenv("KOEBIN_BRIEFINGS", str(tmp_path / "briefings"))
    monkeypatch.setenv("KOEBIN_STORE", (tmp_path / "store").as_uri())
    monkeypatch.setenv("KOEBIN_CACHE", str(tmp_path / "cache"))
    return tmp_path / "briefings"


def koebin(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


def test_every_example_is_fine() -> None:
    briefings, problems = load_folder(EXAMPLES)
    assert problems == {}
    assert {name: check(each, MONDAY, Policy(store="file:///srv")) for name, each in briefings.items()} == {
        name: [] for name in briefings
    }


def test_the_example_of_the_morning_with_its_sources_out_of_reach() -> None:
    def unreachable(*_: object) -> list[str]:
        raise OSError("no network")

    rendered = preview(load_briefing(EXAMPLES / "morning.toml"), MONDAY, Policy(resolve=unreachable))
    assert rendered.text.split("\n\n") == [
        "おはようございます。十一月三十日、月曜日、午前七時です。",
        "今日の天気は届いていません。",
        "今朝のニュースは届いていません。",
        "燃えるごみの日です。\n十時から定例会議があります。",
        "よい一日をお過ごしください。",
    ]
    assert [source.name for source in rendered.failures] == ["news", "weather"]


def test_check(folder: Path) -> None:
    result = koebin("check")
    assert (result.exit_code, result.stdout) == (0, "hourly.toml: ok\nmorning.toml: ok\n")
    bad = folder / "bad.toml"
    bad.write_text(
        (folder / "morning.toml").read_text().replace('"www3.nhk.or.jp", ', "").replace("{{ today }}", "{{ to }}")
    )
    result = koebin("check", "--json")
    assert result.exit_code == 2
    findings = {each["where"]: each for each in json.loads(result.stdout)["bad.toml"]}
    assert "the host www3.nhk.or.jp is missing in network.hosts" in findings["sources.news"]["message"]
    assert "{{ to }}" in bad.read_text().splitlines()[findings["template"]["line"] - 1]
    bad.write_text("[when]\ncrontab = 7")
    result = koebin("check", "bad")
    assert result.exit_code == 2
    assert "line 2" in result.stderr


@pytest.mark.parametrize(
    ("old", "new", "where"),
    [
        ('say = "{{ greeting }}', 'say = "{{ greetings }}', "sources.today"),
        ("{{ data.sky }}", "{{ data.sky }", "sources.weather.say"),
        ("{% endfor %}", "", "sources.news.say"),
        ('path = "today.txt"', 'path = "../secret.txt"', "sources.notes"),
        ('path = "today.txt"', 'path = "tomorrow.txt"', "sources.notes"),
        ("https://weather", "ftp://weather", "sources.weather"),
        ('speaker = "mei"', 'dictionaries = ["absent.toml"]', "voice.dictionaries"),
        ("{{ weather }}", "[speed:2]{{ weather }}", "template"),
    ],
)
def test_what_check_finds(folder: Path, old: str, new: str, where: str) -> None:
    path = folder / "morning.toml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    assert [finding.where for finding in check(load_briefing(path), MONDAY, Policy())] == [where]


def test_preview_list_and_next(folder: Path) -> None:
    result = koebin("preview", "hourly", "--at", "2026-11-23T09:00")
    assert (result.exit_code, result.stdout) == (0, "午前九時をお知らせします。\n")
    assert "clock (clock): fresh" in result.stderr
    document = json.loads(koebin("preview", "hourly", "--at", "2026-11-23T09:00+09:00", "--json").stdout)
    assert (document["due"], document["sources"][0]["ok"]) == ("2026-11-23T00:00:00+00:00", True)

    rows = json.loads(koebin("list", "--json").stdout)["briefings"]
    assert [(row["name"], row["crontab"]) for row in rows] == [("hourly", "0 9-18 * * *"), ("morning", "0 7 * * 1-5")]
    rows = json.loads(koebin("next", "--count", "3", "--json").stdout)
    assert len(rows) == 6
    assert rows == sorted(rows, key=lambda row: row["due"])
    assert koebin("next", "hourly", "-n", "2").stdout.count("\thourly\n") == 2


def test_mistakes_have_exit_codes_and_hints(folder: Path) -> None:
    for arguments, code, message in [
        (("preview", "hourlyy"), 2, "Did you mean hourly?"),
        (("preview", "hourly", "--at", "tomorrow"), 2, "not a valid time"),
        (("run", "hourly"), 2, "KOEBIN_BROKER_URL"),
        (("preview", "no/such.toml"), 2, "cannot read"),
    ]:
        result = koebin(*arguments)
        assert (result.exit_code, message in result.stderr) == (code, True), result.stderr
        assert "Traceback" not in result.stderr


def test_a_broker_that_is_down_is_named_and_its_password_is_not(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KOEBIN_BROKER_URL", "redis://:hunter2@127.0.0.1:1/0")
    result = koebin("run", "hourly")
    assert result.exit_code == 3
    assert "the broker does not answer" in result.stderr
    assert "hunter2" not in result.output


def test_an_edition_in_s3(folder: Path, s3_server: S3Server) -> None:
    options = StoreOptions(s3_server.endpoint, s3_server.region, True, s3_server.access_key, s3_server.secret_key)
    uri = f"s3://{s3_server.bucket()}/audio"
    store = open_store(uri, options=options)
    briefing = load_briefing(folder / "hourly.toml")
    for day in (20, 21, 22, 23):
        due = datetime(2026, 11, day, 0, 0, tzinfo=UTC)
        made = edition_of(briefing, due, compose(briefing, due, Policy(store=uri)))
        store.put(f"jobs/{made.job}/out/programme.mp3", f"{day}".encode())
        publish(made, store, {}, due)
    assert store.get("briefings/hourly/latest.mp3") == b"23"
    assert sorted(store.list("briefings/hourly/2026")) == [
        f"briefings/hourly/2026-11-{day}-0900.mp3" for day in (21, 22, 23)
    ]


@pytest.mark.slow
def test_from_the_schedule_to_the_audio(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A real worker with the built-in voice; ``run`` submits, and a beat process publishes."""
    from koebin.producers.private_broker import embedded

    store = (tmp_path / "store").as_uri()
    with embedded(["mei"], store, {}) as deployment:
        monkeypatch.setenv("KOEBIN_BROKER_URL", deployment.broker_url)
        result = koebin("run", "hourly", "--at", "2026-11-23T09:00", "--json")
        assert result.exit_code == 0, result.output
        job = json.loads(result.stdout)["job"]
        home = tmp_path / "store" / "briefings" / "hourly"
        beat = subprocess.Popen([sys.executable, "-c", "from koebin.producers.commands.briefing import beat; beat()"])
        try:
            wait_until((home / "index.json").exists, what="the beat process has published nothing")
        finally:
            beat.terminate()
            assert beat.wait(timeout=PATIENCE) == 0
        result = koebin("run", "hourly", "--at", "2026-11-23T09:00", "--wait", str(PATIENCE))
    assert "does not run a second time" in result.stderr
    assert (home / "2026-11-23-0900.mp3").as_uri() in result.stdout.splitlines()
    latest = home / "latest.mp3"
    assert latest.read_bytes()[:3] == b"ID3" or latest.read_bytes()[0] == 0xFF
    assert latest.stat().st_size > 5000
    assert json.loads((home / "index.json").read_text())["editions"][0]["job"] == job
    (edition,) = json.loads((latest.parent / "index.json").read_text())["editions"]
    assert edition["result"]["duration_seconds"] > 1
