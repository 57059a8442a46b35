"""File source: local files below the allowed folders."""

from __future__ import annotations

import asyncio
import os
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from koebin.producers.briefings.access_policy import Policy
from koebin.producers.briefings.briefing_file import Briefing, File
from koebin.producers.briefings.sources.base import SourceFailed
from koebin.producers.briefings.sources.documents import document_values
from koebin.producers.briefings.sources.threads import in_thread


async def file_values(source: File, briefing: Briefing, policy: Policy) -> dict[str, Any]:
    """Read a file; its path is relative to the briefing's folder.

    Raises:
        SourceFailed: outside the allowed folders (symbolic links followed), not a plain file, too large, too slow.
    """
    roots = policy.roots(briefing.folder)
    try:
        async with asyncio.timeout(source.timeout):
            data = await in_thread(read_below, briefing.folder / source.path, roots, source.max_bytes)
    except TimeoutError:
        raise SourceFailed(f"not read within {source.timeout:g} seconds") from None
    return document_values(data, source.format)


def read_below(path: Path, roots: Sequence[Path], max_bytes: int) -> bytes:
    """Content of a plain file below one of ``roots``.

    Raises:
        SourceFailed: it does not, or it cannot be read.
    """
    try:
        real = path.resolve(strict=True)
        if not any(real.is_relative_to(root.resolve()) for root in roots):
            raise SourceFailed("the file is outside the allowed folders")
        # The path holds no link any more; O_NOFOLLOW keeps one from slipping in now, O_NONBLOCK a pipe from hanging.
        descriptor = os.open(real, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise SourceFailed("not a plain file")
            data = file.read(max_bytes + 1)
    except (OSError, RuntimeError, ValueError) as error:
        raise SourceFailed(f"the file cannot be read ({getattr(error, 'strerror', None) or error})") from error
    if len(data) > max_bytes:
        raise SourceFailed(f"more than the limit of {max_bytes} bytes")
    return data
