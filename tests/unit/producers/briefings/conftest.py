"""Fixtures of briefings: a way to write one, and an HTTP server that behaves as badly as wanted."""

from __future__ import annotations

import gzip
import ipaddress
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from koebin.producers.briefings.access_policy import Policy
from koebin.producers.briefings.briefing_file import Briefing, load_briefing

Write = Callable[..., Briefing]

HEAD = """
[when]
crontab = "0 7 * * *"

[output]
store = "file:///srv/koebin"

[network]
hosts = ["127.0.0.1", "localhost", "news.example.jp", "inner.example.jp"]
"""


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """``write(sources, template, head)`` gives the loaded briefing."""

    def _write(
        sources: str = "", template: str = "お知らせです。", head: str = HEAD, name: str = "morning"
    ) -> Briefing:
        path = tmp_path / f"{name}.toml"
        path.write_text(f"{head}\n{sources}\n[template]\ntext = '''\n{template}\n'''\n", encoding="utf-8")
        return load_briefing(path)

    return _write


@pytest.fixture
def open_policy() -> Policy:
    """Lets sources reach the test's own server."""
    return Policy(networks=(ipaddress.ip_network("127.0.0.0/8"),))


@dataclass
class WebServer:
    """Answers of a path: status, headers and chunks of the body, made anew for every request."""

    pages: dict[str, Callable[[], tuple[int, dict[str, str], Iterator[bytes]]]] = field(default_factory=dict)
    requests: list[tuple[str, str]] = field(default_factory=list)
    sent: int = 0
    port: int = 0

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    def page(self, path: str, body: bytes, content_type: str = "application/xml", status: int = 200) -> str:
        self.pages[path] = lambda: (status, {"Content-Type": content_type}, iter([body]))
        return self.url(path)

    def redirect(self, path: str, location: str, status: int = 302) -> str:
        self.pages[path] = lambda: (status, {"Location": location}, iter([b""]))
        return self.url(path)

    def endless(self, path: str, total: int, chunk: bytes = b"x" * 65536, headers: dict[str, str] | None = None) -> str:
        self.pages[path] = lambda: (200, headers or {}, (chunk for _ in range(total // len(chunk))))
        return self.url(path)

    def slow(self, path: str, seconds: float) -> str:
        def drip() -> Iterator[bytes]:
            for _ in range(round(seconds / 0.05)):
                time.sleep(0.05)
                yield b" "

        self.pages[path] = lambda: (200, {}, drip())
        return self.url(path)

    def gzip_bomb(self, path: str, megabytes: int) -> str:
        bomb = gzip.compress(bytes(megabytes << 20))
        self.pages[path] = lambda: (200, {"Content-Encoding": "gzip"}, iter([bomb]))
        return self.url(path)


@pytest.fixture
def web() -> Iterator[WebServer]:
    """A server on 127.0.0.1."""
    site = WebServer()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            site.requests.append((self.headers["Host"], self.path))
            status, headers, chunks = site.pages.get(self.path, lambda: (404, {}, iter([b"no"])))()
            with suppress(ConnectionError, TimeoutError):
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()
                for chunk in chunks:
                    self.wfile.write(chunk)
                    site.sent += len(chunk)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        site.port = server.server_address[1]
        Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield site
        server.shutdown()
