"""Metadata beside the audio as Audiobookshelf reads it, ``metadata.json``."""

from __future__ import annotations

import json
import re
from typing import Any

from koebin.tasks.assembly.programme.layout import Layout


def audiobookshelf(layout: Layout) -> bytes:
    """The book's metadata with its chapters, in seconds of the whole."""
    wanted, rate = layout.wanted, layout.timeline.sample_rate_hz
    series = _in_series(wanted.series, wanted.volume)
    chapters = [
        {"id": number, "start": span.start / rate, "end": span.end / rate, "title": layout.title(number + 1)}
        for number, span in enumerate(layout.timeline.chapters)
    ]
    document: dict[str, Any] = {
        "tags": [],
        "chapters": chapters,
        "title": wanted.title or None,
        "subtitle": None,
        "authors": list(wanted.authors),
        "narrators": layout.timeline.speakers,
        "series": [series] if series else [],
        "genres": [],
        "publishedYear": None,
        "publishedDate": None,
        "publisher": None,
        "description": None,
        "isbn": None,
        "asin": None,
        "language": "ja",
        "explicit": False,
        "abridged": False,
    }
    return json.dumps(document, ensure_ascii=False, indent=2).encode()


def _in_series(series: str, volume: str) -> str:
    """Name and place as Audiobookshelf parts them again: a place follows `` #`` and has no blanks."""
    name, place = " ".join(series.split()), re.sub(r"[#\s]+", "", volume)
    return f"{name} #{place}" if name and place else name
