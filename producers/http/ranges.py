"""Objects of the store over HTTP, whole or in part (RFC 9110, section 14)."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from email.utils import formatdate
from typing import Final
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from koebin.producers.http.door import Door
from koebin.tasks.stores.base import Stat

_RANGE: Final = re.compile(r"bytes=(\d*)-(\d*)")
_BLOCK_BYTES: Final = 1 << 18


def ranged(door: Door, request: Request, key: str, stat: Stat, media_type: str, name: str) -> Response:
    """The answer to a request for one object.

    One range is honoured; where several are asked for, the whole is given, as the standard allows.
    """
    etag = f'"{stat.etag}"'
    headers = {
        "Accept-Ranges": "bytes",
        "ETag": etag,
        "Last-Modified": formatdate(stat.modified, usegmt=True),
        "Cache-Control": "private, no-cache",
        "Content-Disposition": f"inline; filename*=utf-8''{quote(name)}",
        "Content-Security-Policy": "default-src 'self' 'unsafe-inline' data: blob:; frame-ancestors 'self'",
    }
    if etag in [tag.strip() for tag in request.headers.get("if-none-match", "").split(",")]:
        return Response(status_code=304, headers=headers)
    wanted = request.headers.get("range", "")
    if request.headers.get("if-range", etag) != etag:
        wanted = ""
    span = span_of(wanted, stat.size)
    if span is None:
        return Response(status_code=416, headers={**headers, "Content-Range": f"bytes */{stat.size}"})
    first, last = span
    partial = (first, last) != (0, stat.size - 1)
    headers["Content-Length"] = str(last - first + 1)
    if partial:
        headers["Content-Range"] = f"bytes {first}-{last}/{stat.size}"
    status = 206 if partial else 200
    if request.method == "HEAD" or last < first:
        return Response(status_code=status, headers=headers, media_type=media_type)
    return StreamingResponse(_blocks(door, key, first, last), status, headers, media_type)


def span_of(wanted: str, size: int) -> tuple[int, int] | None:
    """The first and the last byte; None for what lies behind the end. What is no range asks for the whole."""
    match = _RANGE.fullmatch(wanted.strip())
    if not match or match[0] == "bytes=-":
        return 0, size - 1
    begin, end = match[1], match[2]
    if not begin:
        length = min(int(end), size)
        return (size - length, size - 1) if length else None
    first = int(begin)
    last = min(int(end), size - 1) if end else size - 1
    if end and int(end) < first:
        return 0, size - 1
    return (first, last) if first < size else None


async def _blocks(door: Door, key: str, first: int, last: int) -> AsyncIterator[bytes]:
    store = door.client.store
    while first <= last:
        data = await door.in_thread(store.get_range, key, first, min(_BLOCK_BYTES, last - first + 1))
        if not data:
            raise OSError("the object has become shorter")
        first += len(data)
        yield data
