"""Parts of texts on their way through the speakers' queues, in fair shares.

The door keeps only so many parts in a speaker's queue as its workers need; the others wait here, and which of them is
next is decided when there is room: a key that sends much does not stand before one that sends little.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Final

from celery import Celery
from celery.result import AsyncResult
from redis.exceptions import RedisError

from koebin.engine.errors import BrokerUnavailable, InferenceFailed, KoebinError
from koebin.producers.http.api_keys import Key
from koebin.producers.http.errors import LATER, TookTooLong
from koebin.producers.http.fair_shares import FairShares
from koebin.tasks import traces
from koebin.tasks.broker.delayed_messages import Message, Send
from koebin.tasks.contracts import RENDER, RenderRequest, RenderResult, parse
from koebin.tasks.jobs.planning import predicted_seconds
from koebin.tasks.priorities import PRIORITIES
from koebin.tasks.redis_keys import speaker_queue

log = logging.getLogger(__name__)

_LOOK_SECONDS: Final = 0.02
_OUTAGE_SECONDS: Final = 1.0
_CONCERN_SECONDS: Final = 2.0
"""Between two looks whether anybody serves a speaker whose parts are waited for."""


@dataclass(eq=False, slots=True)
class _Part:
    """One message, waiting here or sent."""

    request: RenderRequest
    future: asyncio.Future[RenderResult]
    task_id: str = field(default_factory=lambda: f"http-{secrets.token_hex(12)}")
    sent: float = 0.0
    trace: dict[str, str] = field(default_factory=traces.headers)


class RenderQueue:
    """Sends ``koebin.render`` and waits for the results.

    Used from one event loop; Celery is talked to in a thread of its own.

    Args:
        app: its result backend is asked; it must not subscribe to results (``koebin.producers.http.result_backends``).
        send: sends a message.
        window: most parts of a speaker that are sent and not done, now.
        served: raises where nobody serves a speaker now; may block.
        patience: seconds without any result of its speaker after which a part is given up.
    """

    def __init__(
        self,
        app: Celery,
        send: Send,
        window: Callable[[str], int],
        served: Callable[[str], object],
        patience: float,
    ) -> None:
        self._app = app
        self._send = send
        self._window = window
        self._served = served
        self._patience = patience
        self._thread = ThreadPoolExecutor(1, "koebin-http-celery")
        self._lines: dict[str, FairShares[_Part]] = {}
        self._sent: dict[str, _Part] = {}
        self._moved: dict[str, float] = {}
        """When a speaker's last result came."""
        self._new = asyncio.Event()
        self._watcher: asyncio.Task[None] | None = None
        self._asked = 0.0
        """When it was last asked who serves what is waited for."""

    async def start(self) -> None:
        self._watcher = asyncio.create_task(self._watch(), name="koebin-http-results")

    async def stop(self) -> None:
        """End what waits; nothing of it is answered any more."""
        if self._watcher is not None:
            self._watcher.cancel()
            await asyncio.gather(self._watcher, return_exceptions=True)
        for part in [*self._sent.values()]:
            part.future.cancel()
        self._thread.shutdown(wait=False, cancel_futures=True)

    @property
    def waiting(self) -> int:
        """Parts that are not sent yet."""
        return sum(len(line) for line in self._lines.values())

    @property
    def sent(self) -> int:
        """Parts that are with the workers."""
        return len(self._sent)

    async def render(self, key: Key, request: RenderRequest) -> RenderResult:
        """Have one part rendered.

        Raises:
            KoebinError: what the worker refused it for; TookTooLong, SpeakerNotServed, BrokerUnavailable.
        """
        part = _Part(request, asyncio.get_running_loop().create_future())
        line = self._lines.setdefault(request.speaker, FairShares())
        line.push(key.name, key.share, predicted_seconds(request.text, _speed(request)), part)
        try:
            await self._fill(request.speaker)
            return await part.future
        except asyncio.CancelledError:
            self._withdraw(part)
            raise

    def _withdraw(self, part: _Part) -> None:
        """Nobody waits for it any more."""
        line = self._lines.get(part.request.speaker)
        if line is not None and line.remove(part):
            return
        if self._sent.pop(part.task_id, None) is not None:
            self._thread.submit(self._revoke, part.task_id)
            self._new.set()

    def _revoke(self, task_id: str) -> None:
        try:
            self._app.control.revoke(task_id)
        except Exception as error:  # noqa: BLE001 - it is only spoken for nobody
            log.debug("a part could not be withdrawn: %s", error)

    async def _fill(self, speaker: str) -> None:
        line = self._lines[speaker]
        while line and self._count(speaker) < self._window(speaker):
            part = line.pop()
            if part is None or part.future.done():
                continue
            part.sent = time.monotonic()
            self._moved.setdefault(speaker, part.sent)
            if not self._count(speaker):
                self._moved[speaker] = part.sent
            self._sent[part.task_id] = part
            try:
                await self._in_thread(self._send_part, part)
            except Exception as error:  # noqa: BLE001 - it is told to whoever waits for the part
                self._sent.pop(part.task_id, None)
                if not part.future.done():
                    part.future.set_exception(_told(error))
        self._new.set()

    def _count(self, speaker: str) -> int:
        return sum(part.request.speaker == speaker for part in self._sent.values())

    def _send_part(self, part: _Part) -> None:
        request = part.request.model_dump(mode="json")
        queue = speaker_queue(part.request.speaker)
        self._send(Message(RENDER, part.task_id, request, queue, PRIORITIES["interactive"], headers=part.trace))

    async def _in_thread(self, call: Callable[..., Any], *args: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._thread, call, *args)

    async def _watch(self) -> None:
        """Look for results while anything is sent."""
        self._asked = time.monotonic()
        while True:
            self._new.clear()
            if not self._sent:
                await self._new.wait()
                continue
            try:
                await self._look()
            except Exception:  # whoever waits must not wait for ever for a defect
                log.exception("a look for results failed")
                await asyncio.sleep(_OUTAGE_SECONDS)

    async def _look(self) -> None:
        try:
            results = await self._in_thread(self._results, list(self._sent))
        except Exception as error:  # noqa: BLE001 - looked for again, until the patience of those who wait ends
            log.warning("results cannot be looked for: %s", error)
            await asyncio.sleep(_OUTAGE_SECONDS)
            results = {}
        for task_id, outcome in results.items():
            self._settle(task_id, outcome)
        now = time.monotonic()
        if now - self._asked >= _CONCERN_SECONDS:
            self._asked = now
            await self._look_for_workers(now)
        for speaker in list(self._lines):
            await self._fill(speaker)
            if not self._lines[speaker] and not self._count(speaker):
                del self._lines[speaker]
                self._moved.pop(speaker, None)
        await asyncio.sleep(_LOOK_SECONDS)

    def _results(self, task_ids: list[str]) -> dict[str, RenderResult | Exception]:
        backend: Any = self._app.backend
        found: dict[str, RenderResult | Exception] = {}
        for task_id, meta in backend.get_many(set(task_ids), interval=0, max_iterations=1):
            found[task_id] = _outcome(meta)
            AsyncResult(task_id, app=self._app).forget()
        return found

    def _settle(self, task_id: str, outcome: RenderResult | Exception) -> None:
        part = self._sent.pop(task_id, None)
        if part is None:
            return
        self._moved[part.request.speaker] = time.monotonic()
        if part.future.done():
            return
        if isinstance(outcome, RenderResult):
            part.future.set_result(outcome)
        else:
            part.future.set_exception(outcome)

    async def _look_for_workers(self, now: float) -> None:
        """End what no worker serves any more, and what nothing has moved for too long."""
        for speaker in {part.request.speaker for part in self._sent.values()}:
            still = now - self._moved.get(speaker, now)
            if still < min(self._patience, 2 * _CONCERN_SECONDS):
                continue
            error: KoebinError | None = None
            try:
                await self._in_thread(self._served, speaker)
            except RedisError:
                pass
            except KoebinError as found:
                error = found if still >= min(self._patience, 20.0) else None
            if error is None and still >= self._patience:
                error = TookTooLong(
                    f"no worker has answered for {still:.0f} s", speaker, "See: koebin backlog", seconds=30.0
                )
            if error is not None:
                self._give_up(speaker, error)

    def _give_up(self, speaker: str, error: KoebinError) -> None:
        for part in [part for part in self._sent.values() if part.request.speaker == speaker]:
            self._sent.pop(part.task_id)
            self._thread.submit(self._revoke, part.task_id)
            if not part.future.done():
                part.future.set_exception(error)
        line = self._lines.get(speaker)
        while line and (waiting := line.pop()) is not None:
            if not waiting.future.done():
                waiting.future.set_exception(error)


def _speed(request: RenderRequest) -> float:
    return float(request.options.get("speed", 1.0))


def _outcome(meta: dict[str, Any]) -> RenderResult | Exception:
    result = meta.get("result")
    if meta.get("status") == "SUCCESS":
        try:
            return parse(RenderResult, result, extra="ignore")
        except KoebinError as error:
            return error
    if isinstance(result, KoebinError):
        return result
    return InferenceFailed("a worker could not speak it", type(result).__name__)


def _told(error: Exception) -> Exception:
    if isinstance(error, KoebinError):
        return error
    return BrokerUnavailable(f"the broker does not take it ({type(error).__name__})", "", LATER)
