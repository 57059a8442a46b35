"""A network in front of a TCP server: as slow as one likes, and it counts what passes."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from types import TracebackType

from tests.servers.ports import HOST, free_ports


class SlowNetwork:
    """Forwards ``port`` to ``target``; everything arrives ``seconds`` later in either direction.

    Attributes:
        questions: how often something was sent to the server after it had said something: its round trips.
        received: bytes that the server has sent.
        silent: from now on nothing passes, and nobody is told: as behind a firewall that forgot the connection.
    """

    def __init__(self, target: int, seconds: float = 0.0) -> None:
        self.port = free_ports(1)[0]
        self.seconds = seconds
        self.questions = 0
        self.received = 0
        self.silent = False
        self._asked = False
        self._target = target
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="slow-network", daemon=True)

    def __enter__(self) -> SlowNetwork:
        self._thread.start()
        if not self._ready.wait(10):
            raise RuntimeError("the network did not start")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(asyncio.start_server(self._connection, HOST, self.port))
        self._ready.set()
        self._loop.run_forever()
        server.close()
        tasks = asyncio.all_tasks(self._loop)
        for task in tasks:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        self._loop.close()

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        up_reader, up_writer = await asyncio.open_connection(HOST, self._target)
        with contextlib.suppress(OSError, asyncio.CancelledError):
            await asyncio.wait(
                [
                    asyncio.create_task(self._pump(reader, up_writer, up=True)),
                    asyncio.create_task(self._pump(up_reader, writer, up=False)),
                ],
                return_when=asyncio.FIRST_COMPLETED,
            )
        writer.close()
        up_writer.close()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, up: bool) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(1 << 20):
                if self.silent:
                    continue
                if up:
                    self.questions += not self._asked
                    self._asked = True
                else:
                    self.received += len(data)
                    self._asked = False
                if self.seconds:
                    await asyncio.sleep(self.seconds)
                writer.write(data)
                await writer.drain()
