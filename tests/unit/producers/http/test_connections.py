"""Connections that ask for nothing: closed, whether they are silent or send a head drop by drop."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import uvicorn

from koebin.producers.http import connections
from koebin.producers.http.connections import Connection
from tests.servers.waiting import PATIENCE

HEAD = b"GET / HTTP/1.1\r\nHost: x\r\n"


def serve(use: Callable[[str, int], Awaitable[None]], answer_seconds: float = 0.0) -> None:
    """Have ``use`` talk to a server whose answers take a while."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await asyncio.sleep(answer_seconds)
        headers = [(b"content-length", b"4")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"done"})

    async def main() -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            config = uvicorn.Config(app, http=Connection, ws="none", lifespan="off", log_config=None)
            server = uvicorn.Server(config)
            running = asyncio.create_task(server.serve([listener]))
            async with asyncio.timeout(PATIENCE):
                await use(*listener.getsockname()[:2])
            server.should_exit = True
            await running

    asyncio.run(main())


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "HEAD_SECONDS", 0.5)


def test_a_silent_connection_is_closed() -> None:
    async def use(host: str, port: int) -> None:
        reader, writer = await asyncio.open_connection(host, port)
        assert await reader.read() == b""
        writer.close()

    serve(use)


def test_a_head_that_comes_in_drops_is_not_waited_for() -> None:
    async def use(host: str, port: int) -> None:
        reader, writer = await asyncio.open_connection(host, port)
        closed = asyncio.ensure_future(reader.read())
        writer.write(HEAD)
        while not closed.done():
            writer.write(b"X: y\r\n")
            await asyncio.sleep(0.05)
        assert b"200" not in await closed
        writer.close()

    serve(use)


def test_an_answer_may_take_longer_and_the_connection_is_used_again() -> None:
    async def use(host: str, port: int) -> None:
        reader, writer = await asyncio.open_connection(host, port)
        for _ in range(2):
            writer.write(HEAD + b"\r\n")
            assert (await reader.readuntil(b"done")).startswith(b"HTTP/1.1 200")
        assert await reader.read() == b"", "it stays open for ever"
        writer.close()

    serve(use, answer_seconds=1.0)
