"""TLS in front of a plain TCP server, with a certificate of our own: the test servers come without it."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import subprocess
import threading
from pathlib import Path
from types import TracebackType

from tests.servers.ports import HOST, free_ports
from tests.servers.waiting import PATIENCE


class TlsFront:
    """Accepts TLS on ``port`` and forwards to ``target``.

    Attributes:
        certificate: what a client must trust.
    """

    def __init__(self, target: int, folder: Path) -> None:
        self.port = free_ports(1)[0]
        self.certificate = folder / "certificate.pem"
        self._key = folder / "key.pem"
        self._target = target
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="tls-front", daemon=True)

    def __enter__(self) -> TlsFront:
        subprocess.run(
            [
                *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={HOST}"),
                *("-addext", f"subjectAltName=IP:{HOST}", "-keyout", str(self._key), "-out", str(self.certificate)),
            ],
            check=True,
            capture_output=True,
        )
        self._thread.start()
        if not self._ready.wait(PATIENCE):
            raise RuntimeError("the TLS front did not start")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(PATIENCE)

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate, self._key)
        server = self._loop.run_until_complete(asyncio.start_server(self._connection, HOST, self.port, ssl=context))
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
                [asyncio.create_task(_pump(reader, up_writer)), asyncio.create_task(_pump(up_reader, writer))],
                return_when=asyncio.FIRST_COMPLETED,
            )
        writer.close()
        up_writer.close()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
