"""Voices behind web addresses, from a real HTTP server."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from koebin.engine.errors import SourceCorrupt, SourceDenied, SourceError, SourceNotFound, SourceUnavailable
from koebin.engine.sources import web
from koebin.engine.sources.base import SourceOptions
from koebin.engine.sources.local import LocalFile
from koebin.engine.sources.uri import open_source
from koebin.engine.sources.web import WebFile, site_of

CONTENT = b"a voice" * 1000
SHA256 = hashlib.sha256(CONTENT).hexdigest()
KEY = "key-planted"


class Server:
    """Gives ``CONTENT``; each fault is used once."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []
        self.faults: list[tuple[int, dict[str, str], bytes]] = []
        self.http = ThreadingHTTPServer(("127.0.0.1", 0), self.handler())
        self.place = f"127.0.0.1:{self.http.server_address[1]}"

    def handler(self) -> type[BaseHTTPRequestHandler]:
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_: object) -> None:
                pass

            def do_GET(self) -> None:
                outer.asked.append((self.path, self.headers.get("authorization", "")))
                fault = outer.faults.pop(0) if outer.faults else (200, {}, CONTENT)
                status, headers, body = fault
                self.send_response(status)
                for name, value in ({"Content-Length": str(len(body))} | headers).items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

        return Handler


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    thread = threading.Thread(target=server.http.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield server
    server.http.shutdown()
    server.http.server_close()
    thread.join()


def options(tmp_path: Path, **changes: Any) -> SourceOptions:
    return SourceOptions(tmp_path / "cache", **{"attempts": 2, "delay": 0.01, "read_timeout": 5.0, **changes})


def source(server: Server, tmp_path: Path, more: str = "", **changes: Any) -> WebFile:
    found = open_source(f"http://{server.place}/v1/x/download?model_type=AIVMX{more}", options(tmp_path, **changes))
    assert isinstance(found, WebFile)
    return found


def test_a_file_is_fetched_once_and_kept(server: Server, tmp_path: Path) -> None:
    first = source(server, tmp_path, f"#sha256={SHA256.upper()}").fetch_file()
    assert first.read_bytes() == CONTENT
    assert source(server, tmp_path, f"#sha256={SHA256}", offline=True).fetch_file() == first
    assert server.asked == [("/v1/x/download?model_type=AIVMX", "")]
    assert sorted(path.name for path in first.parent.iterdir()) == [".lock", "file.json", "voice"]


def test_a_wrong_checksum_is_told_and_nothing_is_kept(server: Server, tmp_path: Path) -> None:
    wrong = source(server, tmp_path, f"#sha256={'0' * 64}")
    with pytest.raises(SourceCorrupt, match="checksum"):
        wrong.fetch_file()
    assert len(server.asked) == 2
    assert not list((tmp_path / "cache").rglob("voice"))
    with pytest.raises(SourceNotFound, match="not in the cache"):
        source(server, tmp_path, f"#sha256={'0' * 64}", offline=True).fetch_file()


@pytest.mark.parametrize("fault", [(500, {}, b""), (429, {}, b""), (200, {"Content-Length": "9000"}, CONTENT)])
def test_what_may_pass_is_asked_for_again(server: Server, tmp_path: Path, fault: Any) -> None:
    server.faults = [fault]
    assert source(server, tmp_path).fetch_file().read_bytes() == CONTENT
    server.faults = [fault, fault]
    with pytest.raises(SourceUnavailable):
        source(server, tmp_path, "&again=1").fetch_file()


@pytest.mark.parametrize(
    ("fault", "error", "message"),
    [
        ((404, {}, b""), SourceNotFound, "no such file"),
        ((401, {}, b""), SourceDenied, "KOEBIN_VOICE_KEYS=127"),
        ((200, {"Content-Length": str(3 << 30)}, b""), SourceError, "more than"),
        ((302, {"Location": "https://evil.example/x"}, b""), SourceError, "another site"),
        ((302, {"Location": "http://192.168.0.1/x"}, b""), SourceError, "another site"),
        ((302, {"Location": "file:///etc/passwd"}, b""), SourceError, "another site"),
    ],
)
def test_what_will_not_pass_is_asked_for_once(
    server: Server, tmp_path: Path, fault: Any, error: type[Exception], message: str
) -> None:
    server.faults = [fault]
    with pytest.raises(error, match=message) as failure:
        source(server, tmp_path).fetch_file()
    assert len(server.asked) == 1
    assert "model_type" not in str(failure.value)


def test_a_redirect_within_the_site_is_followed_and_the_key_stays_at_its_host(server: Server, tmp_path: Path) -> None:
    server.faults = [(302, {"Location": "/elsewhere"}, b"")]
    keyed = source(server, tmp_path, keys={server.place: KEY})
    assert keyed.fetch_file().read_bytes() == CONTENT
    assert server.asked == [("/v1/x/download?model_type=AIVMX", f"Bearer {KEY}"), ("/elsewhere", f"Bearer {KEY}")]
    assert KEY not in repr(keyed) + repr(options(tmp_path, keys={server.place: KEY}))
    server.faults = [(302, {"Location": f"http://{server.place}/loop"}, b"")] * 20
    with pytest.raises(SourceError, match="redirects more than"):
        source(server, tmp_path, "&loop=1").fetch_file()


def test_a_file_that_takes_too_long_or_is_too_large(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(web, "VOICE_FILE_BYTES", 100)
    with pytest.raises(SourceError, match="more than 100 bytes"):
        source(server, tmp_path).fetch_file()
    monkeypatch.setattr(web, "VOICE_FILE_BYTES", 1 << 20)
    monkeypatch.setattr(web, "VOICE_FILE_SECONDS", -1.0)
    with pytest.raises(SourceUnavailable, match="did not arrive"):
        source(server, tmp_path).fetch_file()


@pytest.mark.parametrize(
    "uri",
    [
        "http://example.com/x.aivmx",
        "https://user:planted@example.com/x.aivmx",
        "https://example.com/x.aivmx#md5=planted",
        "https:///x.aivmx",
        "https://example.com:99999/x.aivmx",
    ],
)
def test_addresses_that_are_none_are_refused_without_their_secrets(tmp_path: Path, uri: str) -> None:
    with pytest.raises(SourceError) as refused:
        open_source(uri, options(tmp_path))
    assert "planted" not in str(refused.value)


def test_sites() -> None:
    assert site_of("api.aivis-project.com") == site_of("assets.AIVIS-project.com") == "aivis-project.com"
    assert site_of("a.example.co.jp") == "example.co.jp" != site_of("a.other.co.jp")
    assert site_of("127.0.0.1") == "127.0.0.1" != site_of("127.0.0.2")


def test_a_file_of_this_machine(tmp_path: Path) -> None:
    (tmp_path / "rin.aivmx").write_bytes(b"x")
    for address in (str(tmp_path / "rin.aivmx"), (tmp_path / "rin.aivmx").as_uri()):
        found = open_source(address, options(tmp_path))
        assert isinstance(found, LocalFile)
        assert found.fetch_file() == tmp_path / "rin.aivmx"
    with pytest.raises(SourceNotFound, match=r"Did you mean rin\.aivmx"):
        open_source(str(tmp_path / "rim.aivmx"), options(tmp_path)).fetch_file()  # type: ignore[union-attr]
