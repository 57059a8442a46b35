"""One trace from a submitter through chunk, assembly and webhook, across real processes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from koebin.tasks.traces import HEADER, VARIABLE
from tests.servers.door import Door
from tests.servers.redis import RedisServer
from tests.servers.waiting import wait_until
from tests.servers.worker import ROOT, Worker, environment

pytestmark = pytest.mark.xdist_group("traces")

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = f"00-{TRACE}-b7ad6b7169203331-01"


@pytest.fixture(scope="module")
def spans(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("traces") / "spans.jsonl"


@pytest.fixture(scope="module")
def settings(server: RedisServer, spans: Path) -> Iterator[dict[str, str]]:
    store = (spans.parent / "store").as_uri()
    made = {"broker_url": server.url, "store": store, "traces": spans.as_uri()}
    with Worker(server.url, store, "mei", settings={"traces": spans.as_uri(), "webhook_private": "true"}):
        yield made


def of_trace(spans: Path, trace: str = TRACE) -> dict[str, dict[str, Any]]:
    """Spans of a trace by their names."""
    lines = spans.read_text().splitlines() if spans.exists() else []
    found = [json.loads(line) for line in lines]
    return {span["name"]: span for span in found if span["context"]["trace_id"] == f"0x{trace}"}


@pytest.fixture
def told() -> Iterator[tuple[str, list[dict[str, str]]]]:
    """Address of a webhook, and the headers of what was sent there."""
    got: list[dict[str, str]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            got.append({name.lower(): value for name, value in self.headers.items()})
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}/", got
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_command_hands_its_trace_to_the_job_and_its_webhook(
    settings: dict[str, str], spans: Path, tmp_path: Path, told: tuple[str, list[dict[str, str]]]
) -> None:
    webhook, got = told
    book = tmp_path / "book.txt"
    book.write_text("秘密の文です。", encoding="utf-8")
    command = [sys.executable, "-P", "-m", "koebin", "narrate", str(book), "--webhook", webhook]
    subprocess.run(command, cwd=ROOT, env={**environment(settings), VARIABLE: PARENT}, check=True, capture_output=True)
    wait_until(lambda: got, what="the webhook was not told")
    found = of_trace(spans)
    assert {"koebin.submit", "koebin.chunk", "koebin.assemble"} <= found.keys()
    submitted = found["koebin.submit"]
    assert submitted["parent_id"] == "0xb7ad6b7169203331"
    assert {found[name]["parent_id"] for name in ("koebin.chunk", "koebin.assemble")} == {
        submitted["context"]["span_id"]
    }
    assert got[0][HEADER] == f"00-{TRACE}-{submitted['context']['span_id'][2:]}-01"
    assert "秘密" not in json.dumps(found, ensure_ascii=False)


def test_the_door_hands_on_the_trace_of_a_request(settings: dict[str, str], spans: Path) -> None:
    trace = "1" * 32
    with Door(settings["broker_url"], settings["store"], {"traces": spans.as_uri()}) as door:
        wanted = {"model": "koebin", "input": "扉の文です。", "voice": "mei"}
        answer = door.ask("POST", "/v1/audio/speech", wanted, {HEADER: f"00-{trace}-{'2' * 16}-01"})
        assert answer.status == 200
        wait_until(lambda: {"koebin.http", "koebin.text"} <= of_trace(spans, trace).keys())
    found = of_trace(spans, trace)
    assert found["koebin.text"]["parent_id"] == found["koebin.http"]["context"]["span_id"]
    assert found["koebin.http"]["resource"]["attributes"]["service.name"] == "koebin-producer"


def test_a_trace_that_is_none_is_left_out(settings: dict[str, str], spans: Path, tmp_path: Path) -> None:
    book = tmp_path / "book.txt"
    book.write_text("別の文です。", encoding="utf-8")
    command = [sys.executable, "-P", "-m", "koebin", "narrate", str(book)]
    spoiled = {VARIABLE: "00-x\x1b[31m" + "9" * 100_000}
    subprocess.run(command, cwd=ROOT, env={**environment(settings), **spoiled}, check=True, capture_output=True)
    assert "x\\u001b" not in spans.read_text()


@pytest.mark.parametrize("module", ["koebin.producers.client", "koebin.worker.run", "koebin.tasks.celery_tasks"])
def test_without_the_setting_nothing_of_opentelemetry_is_imported(module: str) -> None:
    """By us: redis-py imports its metrics wherever they are installed."""
    wanted = "('opentelemetry.sdk.trace', 'opentelemetry.exporter', 'koebin.tasks.trace_export')"
    script = f"import sys, {module}; print([name for name in sys.modules if name.startswith({wanted})])"
    found = subprocess.run(
        [sys.executable, "-P", "-c", script], cwd=ROOT, env=os.environ, capture_output=True, text=True, check=True
    )
    assert found.stdout.strip() == "[]"
