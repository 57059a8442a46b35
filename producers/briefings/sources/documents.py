"""Decoding of documents to template values: JSON as ``data``, text as ``text`` and ``lines``."""

from __future__ import annotations

import json
from typing import Any, Literal

from koebin.producers.briefings.sources.base import SourceFailed


def document_values(data: bytes, form: Literal["text", "json"]) -> dict[str, Any]:
    """Decode UTF-8 text or JSON.

    Raises:
        SourceFailed: not UTF-8, not JSON (also NaN and Infinity), nested too deeply, or empty.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise SourceFailed("the text is not UTF-8") from error
    if not text.strip():
        raise SourceFailed("the document is empty")
    if form == "text":
        return {"text": text, "lines": [line for line in text.splitlines() if line.strip()]}
    try:
        return {"data": json.loads(text, parse_constant=_refuse)}
    except (ValueError, RecursionError) as error:
        raise SourceFailed(f"not JSON ({error})") from error


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")
