"""Command source: the output of a program. Disabled unless the deployment allows commands."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from typing import Any, Final

from koebin.producers.briefings.access_policy import Policy
from koebin.producers.briefings.briefing_file import Briefing, Command
from koebin.producers.briefings.sandbox import ends_with_parent
from koebin.producers.briefings.sources.base import SourceFailed
from koebin.producers.briefings.sources.documents import document_values

_LEASHED: Final = (sys.executable, "-I", "-S", ends_with_parent.__file__)


async def command_values(source: Command, briefing: Briefing, policy: Policy) -> dict[str, Any]:
    """Run the program, without a shell, in the briefing's folder and with a bare environment.

    Raises:
        SourceFailed: not allowed, not found, a status other than 0, too slow, or too much output.
    """
    if not policy.commands:
        raise SourceFailed("command sources are disabled on this machine")
    try:
        process = await asyncio.create_subprocess_exec(
            *_LEASHED,
            *source.argv,
            cwd=briefing.folder,
            env={"PATH": os.environ.get("PATH", os.defpath), "LANG": "C.UTF-8"},
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            start_new_session=True,
        )
    except OSError as error:
        raise SourceFailed(f"the command could not be started ({error.strerror})") from error
    try:
        async with asyncio.timeout(source.timeout):
            data = await _output(process, source.max_bytes)
            status = await process.wait()
    except TimeoutError:
        raise SourceFailed(f"the command was not done after {source.timeout:g} seconds") from None
    finally:
        await _end(process)
    if status >= ends_with_parent.NOT_STARTED:
        raise SourceFailed(f"the command could not be started ({os.strerror(status - ends_with_parent.NOT_STARTED)})")
    if status != 0:
        raise SourceFailed(f"the command ended with status {status}")
    return document_values(data, source.format)


async def _output(process: asyncio.subprocess.Process, max_bytes: int) -> bytes:
    assert process.stdout is not None  # noqa: S101 - a pipe was asked for
    data = bytearray()
    while chunk := await process.stdout.read(1 << 16):
        data += chunk
        if len(data) > max_bytes:
            raise SourceFailed(f"more than the limit of {max_bytes} bytes")
    return bytes(data)


async def _end(process: asyncio.subprocess.Process) -> None:
    """End the program and everything it started: they share a session."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    await process.wait()
