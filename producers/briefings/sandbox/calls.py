"""Calls into the child process (`koebin.producers.briefings.sandbox.child`), with a hard deadline."""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
import os
import sys
from pathlib import Path
from typing import Any, Final

import koebin

_ROOT: Final = Path(koebin.__file__).resolve().parents[1]


class IsolatedFailed(Exception):
    """The child refused, or was stopped; the message gives the reason.

    Attributes:
        line: 1-based line of the template, 0 where there is none.
    """

    def __init__(self, message: str, line: int = 0) -> None:
        super().__init__(message, line)
        self.message = message
        self.line = line

    def __str__(self) -> str:
        return self.message


async def call_isolated(request: dict[str, Any], body: bytes, seconds: float) -> Any:
    """Send one request; returns the value under ``ok``.

    Raises:
        IsolatedFailed: refused, out of memory, or not done after ``seconds``.
    """
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-s", "-m", "koebin.producers.briefings.sandbox.child"),
        *(str(math.ceil(seconds) + 1), str(os.getpid())),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env=_environment(),
    )
    try:
        async with asyncio.timeout(seconds):
            output, _ = await process.communicate(json.dumps(request).encode() + b"\n" + body)
    except TimeoutError:
        raise IsolatedFailed(f"not done after {seconds:g} seconds") from None
    finally:
        await _end(process)
    if process.returncode != 0:
        raise IsolatedFailed(f"stopped by its resource limits (status {process.returncode})")
    answer = json.loads(output)
    if "error" in answer:
        raise IsolatedFailed(answer["error"]["message"], answer["error"]["line"])
    return answer["ok"]


async def _end(process: asyncio.subprocess.Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.kill()
    await process.wait()


def _environment() -> dict[str, str]:
    """Minimal environment without credentials: only what the interpreter needs to find its packages."""
    kept = {name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH", "SYSTEMROOT") if name in os.environ}
    return {**kept, "PYTHONPATH": str(_ROOT), "PYTHONUTF8": "1", "PYTHONDONTWRITEBYTECODE": "1"}
