"""Lists of independent lines as JSONL, and as one JSON array."""

from __future__ import annotations

import json
import re
from typing import Any, Final

from koebin.engine import limits
from koebin.engine.errors import InvalidInput, InvalidScript
from koebin.producers.formats.items import ItemReader, parse_json
from koebin.producers.formats.markup import lines
from koebin.producers.formats.script_builder import ScriptBuilder
from koebin.producers.formats.speaker_names import Cast
from koebin.tasks.script import LineError

_SPACE: Final = re.compile(r"[ \t\r\n]*")
_LISTS: Final = ("items", "lines", "texts", "data", "rows")


def read_jsonl(text: str, builder: ScriptBuilder, cast: Cast) -> list[LineError]:
    """Add every line that can be spoken, as an item named by its ``id`` (or ``custom_id``, or its line number).

    Fields: ``text``, and as wished ``speaker``, ``style`` and any other option.

    Returns:
        The lines that cannot, with the reason.
    """
    reader = ItemReader(builder, cast)
    for number, line in lines(text):
        if not line.strip():
            continue
        try:
            row = parse_json(line, number)
            if not isinstance(row, dict):
                raise InvalidScript("not an object", line[:80], 'Write {"id": "…", "text": "…"}', number, 1)
        except InvalidInput as error:
            reader.refuse(error, number)
        else:
            reader.add(row, number, line)
    return reader.errors


def read_json(text: str, builder: ScriptBuilder, cast: Cast) -> list[LineError]:
    """Add every element of an array: an object as a line of JSONL is one, or a string.

    The array may stand in an object under ``items``, ``lines``, ``texts``, ``data`` or ``rows``.

    Returns:
        The elements that cannot be spoken, each with its line and the reason.

    Raises:
        InvalidScript: not JSON, or no array of texts in it.
    """
    value = parse_json(text, 0)
    if isinstance(value, dict):
        value = next((value[name] for name in _LISTS if isinstance(value.get(name), list)), value)
    if not isinstance(value, list):
        raise InvalidScript("no list of texts", text.strip()[:80], 'Write [{"id": "…", "text": "…"}]', 1, 1)
    if len(value) > limits.TABLE_ROWS:
        raise InvalidScript(f"a list of more than {limits.TABLE_ROWS} texts", str(len(value)), "Split it")
    places = _places(text)
    reader = ItemReader(builder, cast)
    for index, row in enumerate(value):
        number = places[index] if len(places) == len(value) else index + 1
        if isinstance(row, str):
            row = {"text": row}
        if isinstance(row, dict):
            reader.add(row, number, default=f"line-{index + 1:06d}")
        else:
            reader.refuse(InvalidScript("not an object", json.dumps(row)[:80], 'Write {"text": "…"}'), number)
    return reader.errors


def _places(text: str) -> list[int]:
    """The line of each element of the outermost array, if the document begins with it."""
    decoder, position = json.JSONDecoder(), _skip(text, 0)
    if text[position : position + 1] != "[":
        return []
    places: list[int] = []
    line, counted = 1, 0
    position = _skip(text, position + 1)
    while position < len(text) and text[position] != "]":
        line += text.count("\n", counted, position)
        counted = position
        places.append(line)
        value: Any
        value, position = decoder.raw_decode(text, position)
        del value
        position = _skip(text, position)
        if text[position : position + 1] == ",":
            position = _skip(text, position + 1)
    return places


def _skip(text: str, position: int) -> int:
    found = _SPACE.match(text, position)
    return found.end() if found else position
