"""Decoding of documents to template values: JSON as ``data``, text as ``text`` and ``lines``."""

from __future__ import annotations

import json
from typing import Any, Literal

from koebin.engine import limits
from koebin.producers.briefings.sources.base import SourceFailed
from koebin.producers.formats import encodings
from koebin.producers.formats.items import json_depth


def document_values(data: bytes, form: Literal["text", "json"]) -> dict[str, Any]:
    """Decode UTF-8 text or JSON.

    Raises:
        SourceFailed: not UTF-8, not JSON (also NaN and Infinity), nested too deeply, or empty.
    """
    name = encodings.guess(data)
    if data and not name:
        raise SourceFailed("the text is not UTF-8")
    text = encodings.decode(data, name or "utf-8")
    if not text.strip():
        raise SourceFailed("the document is empty")
    if form == "text":
        return {"text": text, "lines": [line for line in text.splitlines() if line.strip()]}
    if json_depth(text) > limits.JSON_DEPTH:
        raise SourceFailed(f"not JSON (nested more than {limits.JSON_DEPTH} levels deep)")
    try:
        value = json.loads(text, parse_constant=_refuse)
        json.dumps(value, ensure_ascii=False).encode()  # half of a surrogate pair is no text
    except (ValueError, RecursionError) as error:
        raise SourceFailed(f"not JSON ({str(error)[:200]})") from error
    return {"data": value}


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")
