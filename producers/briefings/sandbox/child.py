"""Child process that parses foreign feeds and renders templates.

Both are of somebody else's making: a template can loop for ever or ask for all memory, a feed can send a parser into
quadratic time. Here they can hurt nobody: limits of the operating system hold, and the parent stops waiting.

One JSON request on standard input, one JSON answer on standard output:
``{"call": ..., ...}`` -> ``{"ok": ...}`` or ``{"error": {"message": ..., "line": ...}}``.
"""

from __future__ import annotations

import json
import resource
import signal
import sys
from typing import Any, Final

from koebin.producers.briefings.sandbox.renderer import RenderFailed, problems, render
from koebin.producers.death_signal import end_with

MEMORY_BYTES: Final = 512 << 20


def main() -> None:
    """``SECONDS PARENT``: handle one request, in so much time, while the process of that number lives."""
    _limit(int(sys.argv[1]))
    end_with(int(sys.argv[2]), signal.SIGKILL)
    answer = json.dumps(_serve(sys.stdin.buffer.read()), ensure_ascii=False)
    sys.stdout.buffer.write(answer.encode("utf-8", "replace"))


def _limit(seconds: int) -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))


def _serve(data: bytes) -> dict[str, Any]:
    try:
        head, _, body = data.partition(b"\n")
        request = json.loads(head)
        if request["call"] == "feed":
            return _feed(body, request)
        if request["call"] == "compile":
            return {"ok": problems(request["templates"])}
        return {"ok": render(**request["render"])}
    except RenderFailed as error:
        return {"error": {"message": str(error), "line": error.line}}
    except MemoryError:
        return {"error": {"message": f"needs more than {MEMORY_BYTES >> 20} MB of memory", "line": 0}}
    except RecursionError:
        return {"error": {"message": "nested too deeply", "line": 0}}


def _feed(body: bytes, request: dict[str, Any]) -> dict[str, Any]:
    from koebin.producers.briefings.sandbox.feed_parser import (  # its import takes longer than a rendering
        FeedRefused,
        parse_feed,
    )

    try:
        return {"ok": parse_feed(body, request["content_type"], request["items"])}
    except FeedRefused as error:
        return {"error": {"message": str(error), "line": 0}}


if __name__ == "__main__":
    main()
