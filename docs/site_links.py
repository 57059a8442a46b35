"""Links of the documentation site: what lies outside of ``docs/`` is named there, since the site does not hold it."""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import Any, Final

_LINK: Final = re.compile(r"(?<!!)\[([^\]]+)\]\(((?:\.\./)+[^)\s#]+)(?:#[^)\s]*)?\)")


def on_page_markdown(markdown: str, *, page: Any, **_: object) -> str:
    """Hook of MkDocs: links from a page to the rest of the repository become the names of the files."""
    folder = PurePosixPath("docs", page.file.src_uri).parent

    def outside(match: re.Match[str]) -> str:
        path: list[str] = []
        for part in (*folder.parts, *PurePosixPath(match[2]).parts):
            if part == "..":
                path.pop()
            else:
                path.append(part)
        return match[0] if path[0] == "docs" else f"{match[1]} (`{'/'.join(path)}`)"

    return _LINK.sub(outside, markdown)
