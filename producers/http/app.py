"""The FastAPI application behind ``koebin serve``."""

from __future__ import annotations

import importlib.metadata
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from koebin.engine.errors import KoebinError
from koebin.producers.error_answers import as_koebin
from koebin.producers.http import health, jobs, openai, page
from koebin.producers.http.answers import Json, answer, first_fault
from koebin.producers.http.door import Door
from koebin.producers.http.errors import LATER, BadRequest, HttpError, NotFound, UnprocessableRequest
from koebin.producers.http.metrics import Metrics
from koebin.producers.http.request_admission import Gate
from koebin.producers.http.voicevox import routes as voicevox
from koebin.tasks.connection import OUTAGE

log = logging.getLogger(__name__)


class Application:
    """The gate around FastAPI; FastAPI's own middleware would stand behind its handler of unforeseen errors."""

    def __init__(self, door: Door) -> None:
        self.door = door
        self.metrics = Metrics(lambda: door.queue.waiting, lambda: door.queue.sent)
        self.routes = _routes(door)
        self._gate: ASGIApp = Gate(self.routes, door, self.metrics.observe)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._gate(scope, receive, send)


def _routes(door: Door) -> FastAPI:
    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await door.start()
        try:
            yield
        finally:
            await door.stop()

    app = FastAPI(
        title="Koebin",
        version=importlib.metadata.version("koebin"),
        description="Japanese speech over HTTP. Errors are problem details (RFC 9457), but for OpenAI's routes.",
        lifespan=lifespan,
        docs_url=None,  # its page fetches scripts from elsewhere
        redoc_url=None,
        default_response_class=Json,
    )
    app.state.door = door
    for router in (health.router, openai.router, jobs.router, voicevox.router, page.router):
        app.include_router(router)
    for kind in (KoebinError, *OUTAGE):
        app.add_exception_handler(kind, _told)
    app.add_exception_handler(Exception, _unforeseen)
    app.add_exception_handler(RequestValidationError, _unprocessable)
    app.add_exception_handler(HTTPException, _refused)
    return app


async def _told(request: Request, error: Exception) -> Response:
    found = as_koebin(error, LATER)
    if found is None:
        raise error
    return answer(request.url.path, found)


async def _unforeseen(request: Request, error: Exception) -> Response:
    """A defect; the log has it, the client is told no more than that there is one."""
    log.error("a request met a defect: %s", type(error).__name__)
    return answer(request.url.path, KoebinError("something unexpected", type(error).__name__, "See the door's log"))


async def _unprocessable(request: Request, error: Exception) -> Response:
    if not isinstance(error, RequestValidationError):
        raise error
    where, what = first_fault(error.errors())
    told = UnprocessableRequest(f"{where or 'body'}: {what}")
    told.__dict__["param"] = where or None
    return answer(request.url.path, told)


async def _refused(request: Request, error: Exception) -> Response:
    """FastAPI's own refusals; one of ours may be the cause of what it takes for a body that cannot be parsed."""
    if not isinstance(error, HTTPException):
        raise error
    if isinstance(error.__cause__, KoebinError):
        return answer(request.url.path, error.__cause__)
    kinds: dict[int, type[HttpError]] = {404: NotFound, 405: BadRequest}
    told = kinds.get(error.status_code, BadRequest)(str(error.detail).lower(), "")
    response = answer(request.url.path, told)
    response.status_code = error.status_code
    response.headers.update(error.headers or {})
    return response
