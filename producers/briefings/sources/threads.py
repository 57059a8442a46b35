"""Threads for blocking calls that may hang, such as name resolution and network mounts."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from typing import TypeVar

_T = TypeVar("_T")


async def in_thread(function: Callable[..., _T], *arguments: object) -> _T:
    """Await ``function(*arguments)`` on a daemon thread.

    Unlike ``asyncio.to_thread``, neither the event loop's end nor the interpreter's waits for a call that hangs.
    """
    loop = asyncio.get_running_loop()
    outcome: asyncio.Future[_T] = loop.create_future()

    def set_result(value: _T | None, error: BaseException | None) -> None:
        if outcome.done():
            return
        if error is not None:
            outcome.set_exception(error)
        else:
            outcome.set_result(value)  # type: ignore[arg-type]

    def work() -> None:
        value, error = None, None
        try:
            value = function(*arguments)
        except BaseException as raised:  # noqa: BLE001 - handed to the awaiting caller
            error = raised
        with contextlib.suppress(RuntimeError):  # the loop has ended: nobody awaits any more
            loop.call_soon_threadsafe(set_result, value, error)

    threading.Thread(target=work, name="koebin-source", daemon=True).start()
    return await outcome
