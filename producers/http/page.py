"""The page at ``/``: plain HTML, CSS and JavaScript, which use the same routes as everybody."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from fastapi import APIRouter, Request, Response
from fastapi.responses import FileResponse
from pydantic import BaseModel, Field

from koebin.producers.http.errors import NotFound, Unauthorized
from koebin.producers.http.openai import TheDoor
from koebin.producers.http.request_admission import COOKIE

router = APIRouter(include_in_schema=False)

FOLDER: Final = Path(__file__).parent / "static"
_TYPES: Final = {"page.css": "text/css; charset=utf-8", "page.js": "text/javascript; charset=utf-8"}
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; media-src 'self' blob:; "
    "img-src data:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
_WEEK_SECONDS: Final = 7 * 24 * 3600


class Session(BaseModel):
    """A key that a browser is to keep."""

    key: str = Field(min_length=1, max_length=500)


@router.get("/")
async def page() -> FileResponse:
    """The page itself."""
    headers = {"Content-Security-Policy": _POLICY, "Cache-Control": "no-cache"}
    return FileResponse(FOLDER / "index.html", media_type="text/html; charset=utf-8", headers=headers)


@router.get("/static/{name}")
async def static(name: str) -> FileResponse:
    """What the page is made of."""
    if name not in _TYPES:
        raise NotFound("no such file", name[:100])
    return FileResponse(FOLDER / name, media_type=_TYPES[name], headers={"Cache-Control": "no-cache"})


@router.post("/session", status_code=204)
async def enter(session: Session, request: Request, door: TheDoor) -> Response:
    """Keep a key in a cookie that no script reads and no other site's page sends."""
    if door.keys.find(session.key) is None:
        raise Unauthorized("no valid key", "", "Check the key")
    answer = Response(status_code=204)
    answer.set_cookie(
        COOKIE,
        session.key,
        max_age=_WEEK_SECONDS,
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https" or request.headers.get("x-forwarded-proto") == "https",
    )
    return answer


@router.delete("/session", status_code=204)
async def leave() -> Response:
    """Forget the key."""
    answer = Response(status_code=204)
    answer.delete_cookie(COOKIE)
    return answer
