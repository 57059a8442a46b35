"""Canaries in every field that comes from outside, looked for in every output that people read.

Each source has a canary of its own: characters that steer a terminal, turn the direction of writing around or begin a
line, markup of two kinds, and an address with a login and a signed query. Everything is planted in one deployment;
then each output is read once, and says by name which source's canary got through. A source whose canary no output
shows at all was not planted well: also that fails.
"""

from __future__ import annotations

import http.client
import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final
from urllib.request import urlopen

import pytest
from redis import Redis

from koebin.engine.display import STEERING
from koebin.producers.http.api_keys import digest
from koebin.tasks import redis_keys
from koebin.tasks.broker.fleet import Announcement, ServedSpeaker, announce
from koebin.tasks.broker.unreadable_messages import keep_unreadable
from tests.integration.producers.http.test_jobs import form
from tests.integration.worker.hostile_messages import envelope, text_request
from tests.servers.door import Door
from tests.servers.ports import HOST, free_ports
from tests.servers.redis import RedisServer
from tests.servers.speech import SpeechServer, Trouble
from tests.servers.waiting import PATIENCE, wait_until
from tests.servers.worker import ROOT, Worker, environment

pytestmark = [pytest.mark.xdist_group("canaries"), pytest.mark.slow]

SECRET: Final = "hunter2"
PLANTED: Final[set[str]] = set()


def canary(source: str) -> str:
    """What is planted as a text of this source."""
    PLANTED.add(source)
    address = f"https://user:{SECRET}-{source}@h.example/x?token={SECRET}-{source}"
    return f"seen-{source}\x1b]0;x\x07\u202e\x9b\u2028\r\nforged-{source} {address} <b id={source}> [/{source}]"


def mild(source: str) -> str:
    """What is planted where anything else is refused: one line that can be printed."""
    PLANTED.add(source)
    address = f"https://user:{SECRET}-{source}@h.example/x?token={SECRET}-{source}"
    return f"seen-{source} {address} <b id={source}> [/{source}]"


@dataclass
class Deployment:
    """Everything that runs, and what it has said so far."""

    server: RedisServer
    store: Path
    folder: Path
    worker: Worker
    door: Door
    key: str
    said: dict[str, str] = field(default_factory=dict)
    metrics_port: int = 0

    def koebin(self, *arguments: str, name: str = "", **settings: object) -> str:
        """Run a command; standard output and standard error of all of them are outputs."""
        given = {"broker_url": self.server.url, "store": self.store.as_uri(), **settings}
        found = subprocess.run(
            [sys.executable, "-P", "-m", "koebin", *arguments],
            cwd=self.folder,
            env={**environment(given), "PYTHONPATH": str(ROOT), "HOME": str(self.folder)},
            capture_output=True,
            check=False,
            timeout=PATIENCE,
        )
        label = name or " ".join(argument for argument in arguments if argument.isascii())[:60]
        self.said[f"stdout of {label}"] = found.stdout.decode()
        self.said[f"stderr of {label}"] = found.stderr.decode()
        return found.stdout.decode()


class Hostile(BaseHTTPRequestHandler):
    """A server of feeds and a receiver of webhooks that answers with canaries in every place."""

    def do_GET(self) -> None:
        if self.path.startswith("/moved"):
            return self._send(302, b"", Location=f"http://user:{SECRET}-redirect@127.0.0.1:1/x?token={SECRET}-redirect")
        if self.path.startswith("/broken"):
            return self._send(503, canary("feed-error-body").encode(), "text/plain; x=seen-feed-type\x1b[1m")
        item = _xml(canary("feed-item"))
        feed = f"<rss version='2.0'><channel><title>{_xml(canary('feed-title'))}</title><item><title>{item}</title>"
        return self._send(200, f"{feed}<description>{item}</description></item></channel></rss>".encode())

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self._send(500, canary("webhook-answer").encode())

    def _send(self, status: int, body: bytes, kind: str = "application/rss+xml", **headers: str) -> None:
        self.send_response(status, "seen-reason-phrase \x1b[31m\u00a0".encode("ascii", "ignore").decode())
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


def _xml(text: str) -> str:
    """As a feed can hold it: XML has no place for most controls, not even as references."""
    return re.sub("[\x00-\x08\x0b-\x1f]", "", text).replace("&", "&amp;").replace("<", "&lt;")


@pytest.fixture(scope="module")
def hostile() -> Iterator[str]:
    server = ThreadingHTTPServer((HOST, 0), Hostile)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"{HOST}:{server.server_address[1]}"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory, hostile: str) -> Iterator[Deployment]:
    folder = tmp_path_factory.mktemp("canaries")
    store, keys = folder / "store", folder / "keys.toml"
    keys.write_text(f'[keys.alice]\nsha256 = "{digest("kb-" + SECRET)}"\n')
    with RedisServer(password=f"{SECRET}-broker") as server, SpeechServer() as speech:
        speech.key = f"{SECRET}-voice-key"
        speech.owner = canary("remote-owner")
        remote = f"rin=voicevox+{speech.url}?speaker=7&attempts=1&check=0"
        port = free_ports(1)[0]
        settings = {
            "voice_keys": f"{speech.place}={speech.key}",
            "webhook_secret": f"{SECRET}-webhook",
            "webhook_private": "true",
            "message_keys": "",
            "log_level": "DEBUG",
            "metrics_port": port,
            "sweep_interval": 0.3,
            "visibility_timeout": 3,
        }
        with (
            Worker(server.url, store.as_uri(), f"mei,{remote}", settings=settings) as worker,
            Door(server.url, store.as_uri(), {"http_keys": keys, "log_level": "DEBUG"}) as door,
        ):
            found = Deployment(server, store, folder, worker, door, f"kb-{SECRET}", metrics_port=port)
            try:
                for plant in PLANTS:
                    plant(found, hostile, speech)
                _read_everything(found)
            finally:
                if kept := os.environ.get("KOEBIN_CANARIES"):  # to look at
                    Path(kept).write_text(json.dumps({**found.said, "planted": " ".join(sorted(PLANTED))}, indent=1))
            yield found


def plant_scripts(deployment: Deployment, hostile: str, speech: SpeechServer) -> None:
    def quoted(source: str) -> str:
        return json.dumps(canary(source))  # TOML's strings have the same escapes

    book = deployment.folder / f"book {canary('file-name').replace('/', '_').replace(chr(0), '')}.md"
    spoiled = deployment.folder / "spoiled.md"
    spoiled.write_text(f"+++\ntitle = {quoted('spoiled-title')}\n+++\n\n本文です。\n")
    deployment.koebin("narrate", str(spoiled), name="narrate a title that is none")
    fields = "\n".join(f"{name} = {json.dumps(mild(name))}" for name in ("title", "author", "series"))
    lines = f"# {mild('chapter')}\n\n{mild('text')}\n\n{mild('unreadable')}\ue123𓀀。"
    book.write_text(f"+++\n{fields}\n+++\n\n{lines}\n", encoding="utf-8")
    webhook = f"http://{hostile}/seen-hook?token={SECRET}-hook"
    options = ("--format", "mp3", "--subtitles", "srt", "--player", "--epub", "--audiobookshelf")
    deployment.koebin("narrate", str(book), *options, "--webhook", webhook, "--job-id", "book", name="narrate")
    spoiled = f"http://user:{SECRET}-login@{hostile}/x?token={SECRET}-login"
    for address in (spoiled, canary("webhook-address")):
        deployment.koebin("narrate", str(book), "--webhook", address, name=f"narrate to {len(address)}")
    deployment.koebin("check", str(book), name="check")
    deployment.koebin("check", canary("file-name"), name="check of no file")
    deployment.koebin("narrate", str(book), "--dry-run", name="narrate --dry-run")
    table = deployment.folder / "lines.jsonl"
    rows = [
        {"text": "雨です。", "id": canary("item-id")},
        {"text": "雪です。", "id": "snow"},
        {"text": "風です。", "speaker": canary("item-speaker")},
    ]
    rows += [{canary("item-field"): 1}, {"text": "雲です。", "style": canary("item-style")}]
    table.write_text("\n".join(map(json.dumps, rows)))
    deployment.koebin("narrate", str(table), name="narrate lines")
    table.write_text(json.dumps({canary("item-other-field"): 1}))
    deployment.koebin("narrate", str(table), name="narrate a bad line")
    talk = deployment.folder / "talk.dialogue"
    talk.write_text(f"+++\n[speakers]\n{quoted('dialogue-name')} = {quoted('dialogue-speaker')}\n+++\nA：はい。\n")
    deployment.koebin("narrate", str(talk), name="narrate dialogue")
    words = deployment.folder / "words.toml"
    words.write_text(f"{quoted('dictionary-word')} = {quoted('dictionary-reading')}\n")
    deployment.koebin("check", str(book), "--dictionary", str(words), name="check with words")
    for option, source in (("--speaker", "speaker-option"), ("--style", "style-option"), ("--kana", "kana-option")):
        deployment.koebin("say", "雨です。", option, canary(source), name=f"say {option}")
    deployment.koebin("status", canary("job-argument"), name="status of a job that is none")


def plant_remote_errors(deployment: Deployment, hostile: str, speech: SpeechServer) -> None:
    said = json.dumps({"detail": canary("remote-error")}).encode()
    speech.faults.append(Trouble("/audio_query", status=422, body=said, times=-1, headers={"X-Canary": "seen-header"}))
    text = deployment.folder / "remote.txt"
    text.write_text("遠い声です。")
    deployment.koebin("narrate", str(text), "-s", "rin", "--job-id", "remote", name="narrate by a remote voice")
    deployment.koebin("dead", "show", "remote")
    deployment.koebin("status", "remote")
    deployment.koebin("events", "remote", "--timeout", "2")


def plant_messages(deployment: Deployment, hostile: str, speech: SpeechServer) -> None:
    redis: Redis = Redis.from_url(deployment.server.url)
    request = text_request("伝言です。", deployment.store.as_uri())
    headers = {name: canary(f"message-{name}") for name in ("shadow", "argsrepr", "kwargsrepr", "origin", "lang")}
    for message in (
        envelope("koebin.synthesize", request, headers=headers),
        envelope(canary("message-task"), request),
        envelope("koebin.synthesize", request, headers={"id": canary("message-id")}),
        envelope("koebin.synthesize", request, headers={"eta": canary("message-eta")}),
        envelope("koebin.synthesize", request, headers={"compression": canary("message-compression")}),
        envelope("koebin.synthesize", request | {"store": canary("message-store")}),
        envelope("koebin.synthesize", request | {"text": canary("message-text")}),
        envelope("koebin.synthesize", request | {"speaker": canary("message-speaker")}),
        envelope("koebin.synthesize", request | {canary("message-field"): 1}),
        envelope("koebin.synthesize", request | {"options": {"style": canary("message-style")}}),
        envelope("koebin.synthesize", None, body=canary("message-body").encode()),
        envelope("koebin.synthesize", request) | {"content-type": canary("message-type")},
    ):
        redis.lpush("speaker.mei", json.dumps(message))
    redis.lpush("speaker.mei", canary("message-none"))
    wait_until(lambda: not redis.llen("speaker.mei") and not redis.exists("koebin.unacked"))
    keep_unreadable(redis, canary("unreadable-reason"), canary("unreadable-message"))
    redis.zadd("koebin:delayed", {canary("delayed-row"): 1.0})
    redis.zadd("koebin:held", {canary("held-row"): 1.0})
    wait_until(lambda: not redis.exists("koebin:delayed") and not redis.exists("koebin:held"))
    redis.close()


def plant_rows(deployment: Deployment, hostile: str, speech: SpeechServer) -> None:
    """What another worker says of itself, and what a job's row may hold."""
    redis: Redis = Redis.from_url(deployment.server.url)
    speaker = ServedSpeaker(
        canary("row-speaker"),
        (canary("row-style"),),
        24_000,
        canary("row-revision"),
        5.0,
        canary("row-display-name"),
        canary("row-licence"),
        (canary("row-creator"),),
    )
    row = Announcement(canary("row-worker"), "e", 1, False, (speaker,), problem=canary("row-problem"))
    for arguments in (("speakers",), ("speakers", "--long"), ("speakers", "--json"), ("doctor",), ("doctor", "--json")):
        announce(redis, row)  # it expires
        announce(redis, replace(row, worker=canary("row-idle-worker"), children=0))
        deployment.koebin(*arguments)
    fields = {name: canary(f"job-{name}") for name in ("title", "error", "waiting", "webhook_state")}
    redis.hset(redis_keys.job("book"), mapping=fields)
    for arguments in (("jobs",), ("jobs", "--json"), ("status", "book"), ("status", "book", "--json"), ("backlog",)):
        deployment.koebin(*arguments)
    redis.close()


def plant_documents(deployment: Deployment, hostile: str, speech: SpeechServer) -> None:
    (path,) = deployment.store.glob("jobs/book/result.json")
    deployment.said["result document"] = path.read_text()
    document = json.loads(path.read_text())
    document["error"] = canary("document-error")
    fields = {name: canary(f"document-{name}") for name in ("text", "reason", "item", "speaker")}
    document["failures"] = [{"line": 1, "key": "k", **fields}]
    path.write_text(json.dumps(document))
    deployment.koebin("status", "book", name="status of a changed job")
    for name in ("manifest.json", "result.json"):
        found = deployment.store / "jobs/book" / name
        found.write_text(json.dumps({canary(f"document-{name}"): 1}))
    redis: Redis = Redis.from_url(deployment.server.url)
    redis.delete(redis_keys.job("book"))
    redis.close()
    for arguments in (("status", "book"), ("resume", "book"), ("gc",), ("gc", "--json")):
        deployment.koebin(*arguments, name=f"{' '.join(arguments)} without its documents")


def plant_voices(deployment: Deployment, hostile: str, speech: SpeechServer) -> None:
    folder = deployment.folder / "voice"
    folder.mkdir()
    golden = ROOT / "tests/golden/jp_extra"
    configuration = json.loads((golden / "config.json").read_text())
    (folder / "style_vectors.npy").write_bytes((golden / "style_vectors.npy").read_bytes())
    weights = next((golden / "newer_names").glob("*.safetensors"))
    (folder / weights.name).write_bytes(weights.read_bytes())
    configuration["model_name"] = canary("voice-model-name")
    configuration["data"]["style2id"] = {canary("voice-style"): 0}
    configuration["data"]["spk2id"] = {canary("voice-speaker"): 0}
    (folder / "config.json").write_text(json.dumps(configuration))
    deployment.koebin("voices", str(folder), name="voices")
    deployment.koebin("voices", str(folder), "--json", name="voices --json")
    configuration["version"] = canary("voice-version")
    configuration["model"][canary("voice-key")] = canary("voice-value")
    (folder / "config.json").write_text(json.dumps(configuration))
    deployment.koebin("voices", str(folder), name="voices that are none")
    deployment.koebin("voices", canary("voice-address"), name="voices of an address")
    deployment.koebin(
        "voices", f"https://user:{SECRET}-v@127.0.0.1:1/seen-voice.aivm?token={SECRET}-v", name="voices web"
    )
    deployment.koebin("bake", str(folder), name="bake")


def plant_feeds(deployment: Deployment, hostile: str, speech: SpeechServer) -> None:
    briefings = deployment.folder / "briefings"
    briefings.mkdir()
    for name in ("feed", "broken", "moved"):
        url = f"http://{hostile}/{name}?token={SECRET}-{name}"
        lines = [f"title = {json.dumps(mild('briefing-title'))}", '[when]\ncrontab = "0 7 * * *"', "[sources.news]"]
        lines += [f'kind = "feed"\nurl = "{url}"\nfallback = "届いていません。"', "say = '{{ items[0].title }}。'"]
        lines += ['[network]\nhosts = ["127.0.0.1"]', '[template]\ntext = "お知らせです。{{ news }}"']
        (briefings / f"{name}.toml").write_text("\n".join(lines), encoding="utf-8")
    spoiled = (
        f"[when]\ncrontab = {json.dumps(canary('briefing-crontab'))}\n{json.dumps(canary('briefing-field'))} = 1\n"
    )
    (briefings / "spoiled.toml").write_text(spoiled)
    settings = {"briefings": briefings, "briefing_networks": "127.0.0.0/8"}
    for arguments in (("check",), ("list",), ("preview", "feed"), ("preview", "broken"), ("preview", "moved")):
        deployment.koebin("briefing", *arguments, **settings)
    for arguments in (("check", "--json"), ("list", "--json"), ("preview", "feed", "--json")):
        deployment.koebin("briefing", *arguments, **settings)
    deployment.koebin("briefing", "run", "broken", **settings)
    deployment.koebin("briefing", "preview", canary("briefing-argument"), name="briefing of no name", **settings)


def plant_settings(deployment: Deployment, hostile: str, speech: SpeechServer) -> None:
    """Settings that hold secrets, each wrong in its own way."""
    PLANTED.discard("settings")
    wrong = {
        "broker_url": f"redis://u:{SECRET}-1@127.0.0.1:1/0",
        "result_backend": f"nonsense://u:{SECRET}-2@h/0",
        "store": f"s3://u:{SECRET}-3@bucket/x",
        "stores": f"file:///x,https://u:{SECRET}-4@h/x?k={SECRET}",
        "s3_endpoint_url": f"https://u:{SECRET}-5@127.0.0.1:1/?k={SECRET}",
        "s3_secret_access_key": f"{SECRET}-6",
        "voice_keys": f"{SECRET}-7",
        "message_keys": f"{SECRET}-8",
        "webhook_secret": f"{SECRET}-9",
        "hf_token": f"{SECRET}-10",
        "speakers": f"x=https://u:{SECRET}-11@127.0.0.1:1/v.aivm?k={SECRET}",
        "bert": f"https://u:{SECRET}-12@h/x",
        "run_dir": f"https://u:{SECRET}-13@h/x",
        "briefing_networks": f"https://u:{SECRET}-14@h/x",
        "device": canary("setting-device"),
        "log_level": canary("setting-level").replace("\x00", ""),
        "unknown_setting": f"{SECRET}-15",
    }
    for name, value in wrong.items():
        deployment.koebin("jobs", name=f"jobs with {name}", **{name: value})
    for name in ("broker_url", "speakers", "store", "device"):
        deployment.koebin("doctor", name=f"doctor with {name}", **{name: wrong[name]})
    for name in ("voice_keys", "message_keys", "store"):
        deployment.koebin("say", "雨です。", name=f"say with {name}", **{name: wrong[name]})
    deployment.koebin(
        "worker", "--speakers", str(wrong["speakers"]), name="worker with its address", broker_url=wrong["broker_url"]
    )


def plant_requests(deployment: Deployment, hostile: str, speech: SpeechServer) -> None:
    door, key = deployment.door, deployment.key
    posts: dict[str, tuple[str, Any]] = {
        "speech-voice": ("/v1/audio/speech", {"model": "koebin", "input": "雨です。", "voice": canary("http-voice")}),
        "speech-format": (
            "/v1/audio/speech",
            {"model": "m", "input": "雨です。", "voice": "mei", "response_format": canary("http-format")},
        ),
        "speech-field": ("/v1/audio/speech", {canary("http-field"): 1}),
        "job-store": ("/v1/jobs", {"text": "雨です。", "speaker": "mei", "store": canary("http-store")}),
        "job-webhook": ("/v1/jobs", {"text": "雨です。", "speaker": "mei", "webhook": canary("http-webhook")}),
        "job-title": ("/v1/jobs", {"text": "雨です。", "speaker": "mei", "title": canary("http-title")}),
        "job-body": ("/v1/jobs", canary("http-body").encode()),
        "session": ("/session", {"key": f"{SECRET}-cookie", "more": canary("http-session")}),
    }
    for name, (path, body) in posts.items():
        deployment.said[f"answer to {name}"] = door.ask("POST", path, body, key=key).body.decode()
    gets = ("/v1/jobs", "/v1/models", "/speakers", "/metrics", "/", "/v1/jobs/seen-path%1b%0a", "/openapi.json")
    for path in gets:
        deployment.said[f"answer to GET {path}"] = door.ask("GET", path, key=key).body.decode()
    PLANTED.add("http-upload")
    name = "seen-http-upload\x1b[31m\u202e"
    body, headers = form(name, b"", {"speaker": "mei"})
    deployment.said["answer to an upload"] = door.ask("POST", "/v1/jobs", body, headers, key).body.decode()
    connection = http.client.HTTPConnection(HOST, door.port, timeout=PATIENCE)
    connection.putrequest("GET", "/v1/jobs?seen-query=%1b%0aforged&token=hunter2-query", skip_accept_encoding=True)
    for header in ("Authorization", "Cookie", "User-Agent", "X-Forwarded-For", "Origin", "Idempotency-Key"):
        connection.putheader(header, f"Bearer {SECRET}-header seen-{header} \x1b[31m")
    connection.endheaders()
    deployment.said["answer to headers"] = connection.getresponse().read().decode()
    connection.close()


PLANTS: Final[tuple[Callable[[Deployment, str, SpeechServer], None], ...]] = (
    plant_scripts,
    plant_remote_errors,
    plant_messages,
    plant_rows,
    plant_requests,
    plant_feeds,
    plant_voices,
    plant_settings,
    plant_documents,
)


def _read_everything(deployment: Deployment) -> None:
    """The outputs that stand at the end."""
    said, store = deployment.said, deployment.store
    for arguments in (("dead", "list"), ("dead", "list", "--json"), ("health",)):
        deployment.koebin(*arguments)
    for name in ("index.html", "metadata.json"):
        for path in store.glob(f"jobs/book/**/{name}"):
            said[name] = path.read_text()
    wait_until(lambda: "hook" in deployment.worker.text(), what="no webhook was tried")
    with urlopen(f"http://{HOST}:{deployment.metrics_port}/metrics", timeout=PATIENCE) as answer:
        said["metrics of the worker"] = answer.read().decode()
    said["log of the worker"] = deployment.worker.text()
    said["log of the door"] = deployment.door.text()


EXACT: Final = ("answer to", "result document", "index.html", "metadata.json")
"""Data for programs, and what is delivered: names, titles and texts are there as they were given."""
DATA: Final = frozenset(
    (
        "title",
        "author",
        "series",
        "chapter",
        "text",
        "unreadable",
        "briefing-title",
        "http-title",
        "job-title",
        "row-speaker",
        "row-style",
        "row-revision",
        "row-display-name",
        "row-licence",
        "row-creator",
        "row-worker",
        "voice-model-name",
        "voice-style",
        "voice-speaker",
        "item-id",
        "message-text",
        "feed-item",
        "feed-title",
    )
)
UNSEEN: Final = frozenset(
    (
        "briefing-field",
        "dictionary-reading",
        "document-item",
        "document-manifest.json",
        "document-result.json",
        "document-speaker",
        "feed-error-body",
        "feed-title",
        "http-body",
        "http-field",
        "http-format",
        "http-session",
        "http-store",
        "job-webhook_state",
        "message-argsrepr",
        "message-body",
        "message-compression",
        "message-kwargsrepr",
        "message-lang",
        "message-origin",
        "message-shadow",
        "message-type",
        "remote-owner",
        "setting-level",
        "voice-key",
        "voice-value",
        "webhook-answer",
    )
)
"""Sources of which nothing is ever shown: what is wrong with them is said without them."""
LAYOUT: Final = "\n\t"
"""What Koebin itself writes between lines and cells."""


def test_no_output_holds_what_steers(deployment: Deployment) -> None:
    for name, text in deployment.said.items():
        for found in STEERING.finditer(text):
            around = text[max(0, found.start() - 60) : found.end() + 30]
            assert found[0] in LAYOUT, f"{name}: {around!r}"


def test_no_output_has_a_line_that_was_not_ours(deployment: Deployment) -> None:
    for name, text in deployment.said.items():
        forged = [line for line in text.splitlines() if line.lstrip(" \t\"'").startswith("forged")]
        assert not forged, f"{name}: {forged[0]!r}"


def test_no_output_holds_a_secret(deployment: Deployment) -> None:
    for name, text in deployment.said.items():
        kept = DATA if name.startswith(EXACT) or name.endswith("--json") else frozenset()
        for found in re.finditer(rf"{SECRET}-([a-z0-9-]+)", text):
            around = text[max(0, found.start() - 200) : found.end() + 60]
            assert found[1].rstrip("-") in kept, f"{name}: {around!r}"


def test_pages_hold_no_markup_of_others(deployment: Deployment) -> None:
    assert "index.html" in deployment.said
    for name in ("index.html", "answer to GET /"):
        assert "<b id=" not in deployment.said[name]


def test_every_canary_can_be_seen(deployment: Deployment) -> None:
    """Else it was not planted where anybody reads."""
    everything = "\n".join(deployment.said.values())
    unseen = {source for source in PLANTED if f"seen-{source}" not in everything}
    assert unseen <= UNSEEN, unseen - UNSEEN
