"""Closed by default: keys, limits, bodies; what happens when workers are not there, or go."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil
import pytest

from koebin.producers.client import Client
from tests.integration.producers.http.conftest import ALICE, BOB, SLOW, House, write_keys
from tests.integration.queue_texts import numbered
from tests.servers.door import Answer, Door
from tests.servers.redis import RedisServer
from tests.servers.worker import ROOT, Worker, environment, wait_until


def speak(door: Door, text: str = "はい。", key: str = ALICE, **fields: Any) -> Answer:
    body = {"input": text, "voice": "mei", "response_format": "wav", **fields}
    return door.ask("POST", "/v1/audio/speech", body, key=key)


def test_nothing_is_told_without_a_key(house: House) -> None:
    for method, path in (
        ("GET", "/v1/audio/voices"),
        ("GET", "/v1/models"),
        ("GET", "/v1/jobs"),
        ("POST", "/v1/jobs"),
        ("GET", "/speakers"),
        ("POST", "/audio_query?text=a&speaker=1"),
        ("GET", "/user_dict"),
        ("GET", "/nothing"),
    ):
        for key in ("", "kb-wrong", ALICE + "x"):
            answer = house.door.ask(method, path, key=key)
            assert answer.status == 401, (method, path, answer)
            assert answer.headers["www-authenticate"].startswith("Bearer")
    assert house.door.ask("GET", "/health/live").status == 200


def test_keys_come_as_bearer_password_or_cookie(house: House) -> None:
    import base64

    basic = base64.b64encode(f"anyone:{ALICE}".encode()).decode()
    for headers in ({"Authorization": f"Basic {basic}"}, {"Cookie": f"koebin_key={ALICE}"}):
        assert house.door.ask("GET", "/speakers", headers=headers).status == 200
    for headers in ({"Authorization": "Basic ???"}, {"Authorization": "Bearer"}, {"Cookie": "koebin_key=;;=x"}):
        assert house.door.ask("GET", "/speakers", headers=headers).status == 401
    assert ALICE not in house.door.text()


def test_no_key_of_ours_is_in_the_file(tmp_path: Path) -> None:
    made = subprocess.run(
        [sys.executable, "-P", "-m", "koebin", "serve", "--new-key", "kitchen"],
        cwd=ROOT,
        env=environment({}),
        capture_output=True,
        text=True,
        check=True,
    )
    token, _, entry = made.stdout.partition("\n")
    assert token.startswith("kb-")
    assert token not in entry
    (tmp_path / "keys.toml").write_text(entry)
    from koebin.producers.http.api_keys import KeyRing

    ring = KeyRing(tmp_path / "keys.toml")
    found = ring.find(token)
    assert found is not None
    assert found.name == "kitchen"
    assert ring.find(token + "x") is None


def test_other_machines_are_not_listened_to_without_keys(server: RedisServer, tmp_path: Path) -> None:
    refused = subprocess.run(
        [sys.executable, "-P", "-m", "koebin", "serve", "--host", "0.0.0.0"],
        cwd=ROOT,
        env=environment({"broker_url": server.url, "store": tmp_path.as_uri(), "http_port": 0}),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert refused.returncode == 2
    assert "KOEBIN_HTTP_KEYS" in refused.stderr


def test_a_page_of_another_site_is_refused(server: RedisServer, tmp_path: Path) -> None:
    settings = {"http_origins": "https://friend.example"}
    with Door(server.url, tmp_path.as_uri(), settings) as door:
        assert door.ask("GET", "/v1/jobs").status == 200
        assert door.ask("GET", "/v1/jobs", headers={"Host": "evil.example"}).status == 403
        evil = {"Origin": "https://evil.example"}
        assert door.ask("POST", "/v1/jobs", {"text": "はい。"}, evil).status == 403
        assert door.ask("GET", "/v1/jobs", headers=evil).status == 403
        assert "access-control-allow-origin" not in door.ask("GET", "/v1/jobs", headers=evil).headers
        assert door.ask("GET", "/v1/jobs", headers={"Sec-Fetch-Site": "cross-site"}).status == 403
        friend = {"Origin": "https://friend.example"}
        allowed = door.ask("GET", "/v1/jobs", headers=friend)
        assert (allowed.status, allowed.headers["access-control-allow-origin"]) == (200, friend["Origin"])
        before = door.ask("OPTIONS", "/v1/jobs", headers={**friend, "Access-Control-Request-Method": "POST"})
        assert (before.status, before.headers["access-control-allow-origin"]) == (204, friend["Origin"])
        assert door.ask("OPTIONS", "/v1/jobs", headers=evil).status != 204


def test_rates_are_told_with_the_time_to_wait(house: House) -> None:
    answers = [house.door.ask("GET", "/v1/jobs", key=SLOW) for _ in range(5)]
    assert [answer.status for answer in answers] == [200, 200, 200, 429, 429]
    assert 1 <= int(answers[-1].headers["retry-after"]) <= 20
    assert house.door.ask("GET", "/v1/jobs", key=ALICE).status == 200


def test_bodies_are_bounded_while_they_come(house: House) -> None:
    told = house.door.ask("POST", "/v1/jobs", b"x" * 30_000, {"Content-Type": "application/json"}, BOB)
    assert told.status == 413, told
    memory = psutil.Process(house.door.pid).memory_info().rss
    connection = http.client.HTTPConnection("127.0.0.1", house.door.port, timeout=60)
    connection.putrequest("POST", "/v1/jobs")
    connection.putheader("Authorization", f"Bearer {BOB}")
    connection.putheader("Content-Type", "multipart/form-data; boundary=b")
    connection.putheader("Transfer-Encoding", "chunked")
    connection.endheaders(
        b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\n', encode_chunked=True
    )
    sent = 0
    try:
        while sent < 200_000_000:
            connection.send(b"%x\r\n" % 100_000 + b"a" * 100_000 + b"\r\n")
            sent += 100_000
    except OSError:
        pass  # the door has hung up
    assert sent < 50_000_000
    assert psutil.Process(house.door.pid).memory_info().rss - memory < 50_000_000
    connection.close()
    assert house.door.ask("GET", "/v1/jobs", key=BOB).status == 200


@pytest.mark.slow
def test_a_body_that_does_not_come_is_given_up(server: RedisServer, tmp_path: Path) -> None:
    settings = {"http_keys": write_keys(tmp_path), "http_upload_timeout": 1}
    with Door(server.url, tmp_path.as_uri(), settings) as door:
        with socket.create_connection(("127.0.0.1", door.port), timeout=60) as slow:
            head = f"POST /v1/jobs HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {ALICE}\r\n"
            slow.sendall(head.encode() + b"Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{")
            answer = b""
            while b"\r\n\r\n" not in answer and (data := slow.recv(4096)):
                answer += data
        assert b"408" in answer.split(b"\r\n")[0]


@pytest.mark.slow
def test_a_thousand_idle_connections_hold_nobody_up(house: House) -> None:
    idle = [socket.create_connection(("127.0.0.1", house.door.port)) for _ in range(1000)]
    try:
        assert speak(house.door, "千の接続です。").status == 200
    finally:
        for each in idle:
            each.close()


def test_without_workers_it_is_told_at_once(redis_server: RedisServer, tmp_path: Path) -> None:
    with Door(redis_server.url, tmp_path.as_uri()) as door:
        answer = speak(door)
        assert answer.status == 503
        assert "No worker is ready" in answer.json["error"]["message"]
        assert "koebin worker --speakers mei" in answer.json["error"]["message"]
        assert int(answer.headers["retry-after"]) > 0
        job = door.ask("POST", "/v1/jobs", {"text": "はい。"})
        assert (job.status, job.json["type"]) == (501, "urn:koebin:backend-missing")
        assert door.ask("GET", "/speakers").json == []
        assert door.ask("POST", "/audio_query?text=a&speaker=1").status == 503
        redis_server.stop()
        assert door.ask("GET", "/v1/jobs").status == 503
        assert door.ask("GET", "/health/ready").status == 503
        assert door.ask("GET", "/health/live").status == 200


@pytest.fixture
def hasty(redis_server: RedisServer, tmp_path: Path) -> Iterator[tuple[Door, str, str]]:
    """A door over workers whose work is taken over after two seconds."""
    store = (tmp_path / "store").as_uri()
    settings = {"visibility_timeout": 2, "http_patience": 40}
    with Door(redis_server.url, store, settings) as door:
        yield door, redis_server.url, store


def stream(door: Door, text: str) -> tuple[http.client.HTTPConnection, http.client.HTTPResponse]:
    connection = http.client.HTTPConnection("127.0.0.1", door.port, timeout=120)
    body = {"input": text, "voice": "mei", "response_format": "pcm"}
    connection.request("POST", "/v1/audio/speech", json.dumps(body), {"Content-Type": "application/json"})
    return connection, connection.getresponse()


@pytest.mark.slow
def test_a_client_gets_the_rest_when_its_worker_is_killed(hasty: tuple[Door, str, str]) -> None:
    door, broker, store = hasty
    text = numbered(60)
    settings = {"visibility_timeout": 2, "sweep_interval": 0.5}
    with Worker(broker, store, settings=settings) as first, Worker(broker, store, settings=settings):
        connection, answer = stream(door, text)
        begun = answer.read(10_000)
        first.signal_all(signal.SIGKILL)
        rest = answer.read()
        connection.close()
        connection, whole = stream(door, text)
        assert begun + rest == whole.read()
        connection.close()


@pytest.mark.slow
def test_a_stream_ends_clearly_when_the_last_worker_is_gone(hasty: tuple[Door, str, str]) -> None:
    door, broker, store = hasty
    with Worker(broker, store) as only:
        connection, answer = stream(door, numbered(200))
        answer.read(10_000)
        only.signal_all(signal.SIGKILL)
        with pytest.raises((http.client.IncompleteRead, ConnectionError)):
            answer.read()
        connection.close()
        assert door.ask("GET", "/health/live").status == 200


@pytest.mark.slow
def test_what_nobody_waits_for_is_not_spoken(hasty: tuple[Door, str, str]) -> None:
    door, broker, store = hasty
    with Worker(broker, store) as worker, Client(broker, store) as client:
        connection, answer = stream(door, numbered(200))
        answer.read(1000)
        connection.close()
        answer.close()

        def segments() -> int:
            return sum(1 for key in client.store.list("segments/") if key.endswith(".flac"))

        wait_until(lambda: client.redis.llen("speaker.mei") == 0, 60)
        assert speak(door, "終わり。").status == 200
        assert segments() < 150, worker.text()[-2000:]


@pytest.mark.slow
def test_a_crowd_of_one_key_does_not_hold_up_another(redis_server: RedisServer, tmp_path: Path) -> None:
    store = (tmp_path / "store").as_uri()
    settings = {"http_keys": write_keys(tmp_path), "http_window": 2}
    with Worker(redis_server.url, store, "mei,ken"), Door(redis_server.url, store, settings) as door:
        ended: list[str] = []
        lock = threading.Lock()

        def one(number: int, key: str) -> int:
            text = f"{number}番の客です。" if key == ALICE else f"客は{number}番です。"
            answer = speak(door, text, key, voice="ken")
            with lock:
                ended.append(key)
            return answer.status

        with ThreadPoolExecutor(60) as pool:
            crowd = [pool.submit(one, number, ALICE) for number in range(50)]
            wait_until(lambda: len(ended) >= 3, 120)
            few = [pool.submit(one, number, BOB) for number in range(5)]
            served_before = len(ended)
            assert Counter(each.result() for each in [*crowd, *few]) == {200: 55}
        last_of_bob = max(place for place, key in enumerate(ended) if key == BOB)
        # In turns, five of one key are served among about five of the other, and what was on its way.
        assert last_of_bob - served_before < 30, ended


@pytest.mark.slow
def test_two_hundred_clients_at_once(house: House) -> None:
    def one(number: int) -> tuple[int, bytes]:
        voice = "mei" if number % 2 else "ken"
        answer = speak(house.door, f"{number}番目の客です。よろしく。", voice=voice)
        return answer.status, answer.body[:4]

    with ThreadPoolExecutor(200) as pool:
        found = Counter(pool.map(one, range(200)))
    assert found == {(200, b"RIFF"): 200}


def test_the_door_loads_no_voice() -> None:
    code = (
        "import sys\n"
        "from koebin.producers.http import app, serve\n"
        "from koebin.engine.audio.encoding.stream import StreamEncoder\n"
        "StreamEncoder('mp3', 48000)\n"
        "bad = {'onnxruntime', 'torch', 'pyopenjtalk', 'sudachipy', 'transformers', 'onnx'} & set(sys.modules)\n"
        "assert not bad, bad\n"
        "assert not any(name.startswith('koebin.engine.models') for name in sys.modules)\n"
    )
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code], env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_keys_are_read_again_when_their_file_changes(server: RedisServer, tmp_path: Path) -> None:
    path = write_keys(tmp_path)
    with Door(server.url, tmp_path.as_uri(), {"http_keys": path}) as door:
        assert door.ask("GET", "/v1/jobs", key=BOB).status == 200
        text = path.read_text()
        start = text.index("[keys.bob]")
        path.write_text(text[:start] + text[text.index("[keys.slow]") :])
        deadline = time.monotonic() + 60
        while door.ask("GET", "/v1/jobs", key=BOB).status != 401 and time.monotonic() < deadline:
            time.sleep(0.2)
        assert door.ask("GET", "/v1/jobs", key=BOB).status == 401
        path.write_text("nonsense [")
        assert door.ask("GET", "/v1/jobs", key=ALICE).status == 200
