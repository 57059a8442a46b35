"""Lists of independent lines as JSONL: every line becomes a file of its own, and a bad line spoils no other."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final

from koebin.engine.errors import InvalidInput, InvalidScript, InvalidText
from koebin.engine.names import nearest
from koebin.engine.text.checks import check_text
from koebin.producers.formats.builder import ScriptBuilder
from koebin.producers.formats.markup import MarkupReader, lines
from koebin.producers.formats.voice import OPTION_NAMES, Cast, Voice, changed
from koebin.tasks.script import LineError

_FIELDS: Final = ("id", "custom_id", "text", "speaker", *OPTION_NAMES)
_ID: Final = re.compile(r"[\w][\w.@+-]{0,99}")


def read_jsonl(text: str, builder: ScriptBuilder, cast: Cast) -> list[LineError]:
    """Add every line that can be spoken, as an item named by its ``id`` (or ``custom_id``, or its line number).

    Fields: ``text``, and as wished ``speaker``, ``style`` and any other option.

    Returns:
        The lines that cannot, with the reason.
    """
    errors: list[LineError] = []
    seen: dict[str, int] = {}
    for number, line in lines(text):
        if not line.strip():
            continue
        item = f"line-{number:06d}"
        try:
            row = _row(line, number)
            item = _item(row, item, number)
            _check_fields(row, line, number)
            if item in seen:
                raise InvalidScript(
                    f"the id stands in line {seen[item]} already", item, "Give each line its own id", number
                )
            builder.take(_spoken(row, item, number, line, cast))
            seen[item] = number
        except InvalidInput as error:
            errors.append(LineError(number, item, _message(error)))
    return errors


def _message(error: InvalidInput) -> str:
    """What is wrong, without the line, which stands beside it."""
    place = f"column {error.column}: " if error.column else ""
    return place + str(type(error)(error.what, error.value, error.hint))


def _row(line: str, number: int) -> Mapping[str, Any]:
    try:
        row = json.loads(line)
    except json.JSONDecodeError as error:
        raise InvalidScript(f"not JSON: {error.msg}", "", "Write one object per line", number, error.colno) from error
    except (RecursionError, ValueError) as error:  # a number of thousands of digits
        raise InvalidScript("not JSON that can be read", line[:80], "", number) from error
    if not isinstance(row, dict):
        raise InvalidScript("not an object", line[:80], 'Write {"id": "…", "text": "…"}', number, 1)
    return row


def _check_fields(row: Mapping[str, Any], line: str, number: int) -> None:
    for name in row:
        if name not in _FIELDS:
            known = ", ".join(nearest(name, _FIELDS) or _FIELDS)
            raise InvalidScript(
                "unknown field", name, f"Use {known}", number, line.find(json.dumps(name, ensure_ascii=False)) + 1
            )


def _item(row: Mapping[str, Any], default: str, number: int) -> str:
    named = [row[name] for name in ("custom_id", "id") if row.get(name) is not None]
    if not named:
        return default
    item = str(named[0]) if isinstance(named[0], int) and not isinstance(named[0], bool) else named[0]
    if not isinstance(item, str) or not _ID.fullmatch(item) or len(item.encode()) > 150:
        hint = "Use 1 to 100 letters, digits or . _ - @ + and begin with a letter or a digit"
        raise InvalidScript("an id that cannot name a file", str(named[0]), hint, number)
    return item


def _spoken(row: Mapping[str, Any], item: str, number: int, line: str, cast: Cast) -> ScriptBuilder:
    text = row.get("text")
    if not isinstance(text, str):
        raise InvalidScript(
            "there is no text" if text is None else "text is not a string", "", 'Write "text": "…"', number
        )
    try:
        check_text(text)
    except InvalidText as error:
        raise InvalidText(error.what, error.value, error.hint, number) from error
    voice = _voice(row, cast, number)
    column = _column(line, "text")
    own = ScriptBuilder()
    reader = MarkupReader(own, cast, item=item)
    for _, part in lines(text):
        reader.paragraph(part, lambda offset: (number, column + offset if column else 0), voice=voice)
    reader.finish()
    return own


def _voice(row: Mapping[str, Any], cast: Cast, number: int) -> Voice:
    speaker = row.get("speaker")
    if speaker is not None and not isinstance(speaker, str):
        raise InvalidScript("speaker is not a string", str(speaker), 'Write "speaker": "mei"', number)
    voice = cast.voice(speaker, number) if speaker is not None else cast.narrator
    options = {name: row[name] for name in OPTION_NAMES if row.get(name) is not None}
    try:
        return Voice(voice.speaker, changed(voice.options, options))
    except InvalidInput as error:
        raise InvalidScript(error.what, error.value, error.hint, number) from error


def _column(line: str, name: str) -> int:
    """Column of the value of a field; 0 if it is not found."""
    found = re.search(rf'"{re.escape(name)}"\s*:\s*"?', line)
    return found.end() + 1 if found else 0
