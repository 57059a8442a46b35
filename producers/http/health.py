"""Health of the HTTP door: liveness and readiness, open to anybody."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from redis.exceptions import RedisError

from koebin.producers.http.openai import door_of

router = APIRouter(prefix="/health", tags=["health"], include_in_schema=False)


@router.get("/live")
async def live() -> dict[str, str]:
    """It answers."""
    return {"status": "live"}


@router.get("/ready")
async def ready(request: Request) -> JSONResponse:
    """The broker answers, too. That no worker is there makes the door no less ready: it says so to its clients."""
    door = door_of(request)
    try:
        await door.in_thread(door.client.redis.ping)
    except RedisError:
        return JSONResponse({"status": "the broker does not answer"}, 503)
    return JSONResponse({"status": "ready"})
