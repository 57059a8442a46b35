"""Admission of requests: key, address, size and pace of the body."""

from __future__ import annotations

import asyncio
import base64
import binascii
import logging
import time
from collections.abc import Callable, MutableMapping
from http.cookies import CookieError, SimpleCookie
from typing import Any, Final
from urllib.parse import urlsplit

from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from koebin.engine.errors import KoebinError
from koebin.producers.error_answers import as_koebin
from koebin.producers.http.answers import answer
from koebin.producers.http.api_keys import ALONE, Key
from koebin.producers.http.door import Door
from koebin.producers.http.errors import LATER, Forbidden, TooLarge, TooSlow, Unauthorized
from koebin.tasks.traces import HEADER, span

log = logging.getLogger(__name__)

COOKIE: Final = "koebin_key"
OPEN_PATHS: Final = frozenset(("/", "/session", "/openapi.json", "/health/live", "/health/ready", "/favicon.ico"))
"""They tell nothing of anybody; /session takes a key."""
OPEN_PREFIX: Final = "/static/"
JSON_BYTES: Final = 2 << 20
"""Largest body of everything but an upload."""
_UPLOADS: Final = ("/v1/jobs",)
_HERE: Final = frozenset(("localhost", "127.0.0.1", "::1"))
_SAFE: Final = frozenset(("GET", "HEAD", "OPTIONS"))
_HEADERS: Final = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
_PREFLIGHT: Final = {
    "Access-Control-Allow-Methods": "GET, POST, PUT, DELETE",
    "Access-Control-Allow-Headers": "Authorization, Content-Type, Idempotency-Key, Range",
    "Access-Control-Max-Age": "600",
}
Observe = Callable[[str, str, int, float, str], None]


class Gate:
    """ASGI middleware around everything.

    Args:
        observe: is told of every answer: method, route, status, seconds, name of the key.
    """

    def __init__(self, app: ASGIApp, door: Door, observe: Observe) -> None:
        self._app = app
        self._door = door
        self._observe = observe
        self._hosts = _HERE | {host.lower() for host in door.settings.http_hosts}
        self._origins = frozenset(door.settings.http_origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        visit = _Visit(scope, send, self._origins)
        started = time.monotonic()
        try:
            with span("koebin.http", _headers(scope).get(HEADER), **{"http.request.method": scope["method"]}):
                await self._admit(scope, receive, visit)
        except Exception as error:
            told = as_koebin(error, LATER)
            if visit.begun or told is None:
                raise  # the connection is cut: the client sees that the rest is missing
            await answer(scope["path"], told)(scope, receive, visit.send)
        finally:
            route = getattr(scope.get("route"), "path", "") or "none"
            key = scope.get("state", {}).get("key")
            seconds = time.monotonic() - started
            self._observe(scope["method"], route, visit.status, seconds, key.name if key else "")
            log.info(
                "%s %s %d %.3f s",
                scope["method"],
                route if route != "none" else "(no route)",
                visit.status,
                seconds,
                extra={"key": key.name if key else ""},
            )

    async def _admit(self, scope: Scope, receive: Receive, visit: _Visit) -> None:
        headers = _headers(scope)
        self._check_place(scope, headers)
        path = scope["path"]
        if scope["method"] == "OPTIONS" and headers.get("origin") in self._origins:
            await Response(status_code=204, headers=_PREFLIGHT)(scope, receive, visit.send)
            return
        key = self._door.keys.find(_token(headers))
        if key is None and path not in OPEN_PATHS and not path.startswith(OPEN_PREFIX):
            raise Unauthorized(
                "no valid key", "", "Send it as: Authorization: Bearer KEY" if not _token(headers) else "Check the key"
            )
        scope.setdefault("state", {})["key"] = key or ALONE.model_copy(update={"name": "none", "speakers": ()})
        body = _Body(receive, self._most_bytes(path, key), self._door.settings.http_upload_timeout)
        body.check_announced(headers)
        if key is None:
            await self._app(scope, body.receive, visit.send)
            return
        with self._door.limits.running(key):
            if path.startswith("/v1/") or path not in OPEN_PATHS:
                await self._door.in_thread(self._door.limits.spend, key, requests=1)
            await self._app(scope, body.receive, visit.send)

    def _check_place(self, scope: Scope, headers: MutableMapping[str, str]) -> None:
        """A page of another site must not speak through a browser on this machine.

        Raises:
            Forbidden: another site's page, or a name of this machine that nobody gave it.
        """
        host = headers.get("host", "")
        if self._door.keys.open and (_hostname(host) not in self._hosts):
            raise Forbidden("not a name of this door", host[:100], "Set KOEBIN_HTTP_HOSTS, or give it keys")
        origin = headers.get("origin")
        elsewhere = headers.get("sec-fetch-site") == "cross-site" and headers.get("sec-fetch-mode") != "navigate"
        if origin is None and elsewhere and not headers.get("authorization"):
            raise Forbidden("a page of another site", "", "Send the key as: Authorization: Bearer KEY")
        if origin is None or origin in self._origins or urlsplit(origin).netloc == host:
            return
        if scope["method"] not in _SAFE or self._door.keys.open:
            raise Forbidden("a page of another site", origin[:100], "Set KOEBIN_HTTP_ORIGINS to let it in")

    def _most_bytes(self, path: str, key: Key | None) -> int:
        if not path.startswith(_UPLOADS):
            return JSON_BYTES
        most = self._door.settings.http_upload_bytes
        return min(most, key.upload_bytes) if key and key.upload_bytes else most


class _Visit:
    """The way back of one answer."""

    def __init__(self, scope: Scope, send: Send, origins: frozenset[str]) -> None:
        self._send = send
        self.status = 499
        """Until there is one: the client has gone, or the answer broke off."""
        self.begun = False
        origin = _headers(scope).get("origin")
        self._origin = origin if origin in origins else None

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.begun, self.status = True, message["status"]
            message = {**message, "headers": [*message["headers"], *_HEADERS]}
            if self._origin:
                message["headers"].append((b"access-control-allow-origin", self._origin.encode()))
                message["headers"].append((b"vary", b"Origin"))
        await self._send(message)


class _Body:
    """A request's body, counted and timed while it comes."""

    def __init__(self, receive: Receive, most: int, seconds: float) -> None:
        self._receive = receive
        self._most = most
        self._until = time.monotonic() + seconds
        self._bytes = 0
        self._whole = False

    def check_announced(self, headers: MutableMapping[str, str]) -> None:
        """Raises: TooLarge: without reading any of it."""
        length = headers.get("content-length", "")
        if length.isdecimal() and int(length) > self._most:
            raise self._too_large()

    async def receive(self) -> Message:
        """Raises: TooLarge, TooSlow."""
        if self._whole:
            return await self._receive()
        try:
            async with asyncio.timeout(max(0.001, self._until - time.monotonic())):
                message = await self._receive()
        except TimeoutError:
            raise TooSlow("the body did not arrive in time", "", "Send it faster, or in smaller parts") from None
        if message["type"] == "http.request":
            self._bytes += len(message.get("body", b""))
            self._whole = not message.get("more_body", False)
            if self._bytes > self._most:
                raise self._too_large()
        return message

    def _too_large(self) -> KoebinError:
        return TooLarge("the body is too large", f"more than {self._most} bytes", "Send less at once")


def _headers(scope: Scope) -> dict[str, str]:
    return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}


def _hostname(host: str) -> str:
    try:
        return (urlsplit(f"//{host}").hostname or "").lower()
    except ValueError:
        return ""


def _token(headers: MutableMapping[str, str]) -> str | None:
    """The key that a request presents: as a bearer, as a password (``http://any:KEY@host``), or in the page's
    cookie."""
    scheme, _, rest = headers.get("authorization", "").partition(" ")
    rest = rest.strip()
    if scheme.lower() == "bearer":
        return rest
    if scheme.lower() == "basic":
        try:
            return base64.b64decode(rest, validate=True).decode().partition(":")[2]
        except (binascii.Error, UnicodeDecodeError):
            return None
    try:
        cookie = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
    except CookieError:
        return None
    return cookie.value if cookie else None


def key_of(scope: MutableMapping[str, Any]) -> Key:
    """The key with which a request was admitted."""
    key: Key = scope["state"]["key"]
    return key
