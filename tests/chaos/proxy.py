"""A proxy in front of an S3 server that breaks what passes through it, in ways that networks and servers do."""

from __future__ import annotations

import asyncio
import re
import threading
from enum import StrEnum
from types import TracebackType
from typing import Final

from tests.servers.ports import HOST, free_ports
from tests.servers.waiting import PATIENCE

_LENGTH: Final = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_BLOCK: Final = 65536


class Trouble(StrEnum):
    """What the proxy does to requests."""

    NONE = "none"
    CUT = "cut"
    ERROR_500 = "500"
    ERROR_503 = "503"
    SLOW = "slow"
    HALF = "half"


class Proxy:
    """Forwards to ``port``; ``trouble`` may change at any moment and holds for the next block of data."""

    def __init__(self, port: int) -> None:
        self.port = free_ports(1)[0]
        self.trouble = Trouble.NONE
        self.broken = 0
        self._target = port
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._serve, name="chaos-proxy", daemon=True)
        self._started = threading.Event()

    @property
    def endpoint(self) -> str:
        return f"http://{HOST}:{self.port}"

    def __enter__(self) -> Proxy:
        self._thread.start()
        if not self._started.wait(PATIENCE):
            raise RuntimeError("the proxy did not start")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(PATIENCE)

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(asyncio.start_server(self._connection, HOST, self.port))
        self._started.set()
        self._loop.run_forever()
        server.close()
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        self._loop.run_until_complete(asyncio.sleep(0))
        self._loop.close()

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            up_reader, up_writer = await asyncio.open_connection(HOST, self._target)
        except OSError:
            writer.close()
            return
        down = asyncio.create_task(self._down(up_reader, writer))
        try:
            await self._up(reader, writer, up_writer)
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            down.cancel()
            writer.close()
            up_writer.close()

    async def _up(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, server: asyncio.StreamWriter
    ) -> None:
        while data := await reader.read(_BLOCK):
            match self.trouble:
                case Trouble.CUT:
                    self.broken += 1
                    return
                case Trouble.ERROR_500 | Trouble.ERROR_503:
                    self.broken += 1
                    await _answer(writer, self.trouble)
                    return
                case Trouble.HALF:
                    self.broken += 1
                    length = _LENGTH.search(data)
                    server.write(data[: len(data) // 2] if not length or data.endswith(b"\r\n\r\n") else data[:-1])
                    await server.drain()
                    return
                case Trouble.SLOW:
                    self.broken += 1
                    await asyncio.sleep(0.5)
            server.write(data)
            await server.drain()

    async def _down(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(_BLOCK):
                if self.trouble is Trouble.SLOW:
                    await asyncio.sleep(0.2)
                writer.write(data)
                await writer.drain()
        except OSError:
            return
        finally:
            writer.close()


async def _answer(writer: asyncio.StreamWriter, trouble: Trouble) -> None:
    code, name = (500, "InternalError") if trouble is Trouble.ERROR_500 else (503, "SlowDown")
    body = f"<?xml version='1.0'?><Error><Code>{name}</Code><Message>chaos</Message></Error>".encode()
    head = f"HTTP/1.1 {code} {name}\r\nContent-Type: application/xml\r\nContent-Length: {len(body)}\r\n"
    writer.write(f"{head}Connection: close\r\n\r\n".encode() + body)
    await writer.drain()
