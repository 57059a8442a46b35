"""Lists of independent texts, each of which becomes a file of its own: fields, names, and errors that stay with one."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Mapping
from typing import Any, Final

from koebin.engine import limits
from koebin.engine.checked_names import nearest
from koebin.engine.errors import InvalidInput, InvalidScript, InvalidText
from koebin.engine.text.checks import check_text
from koebin.producers.formats.markup import MarkupReader, lines
from koebin.producers.formats.script_builder import ScriptBuilder
from koebin.producers.formats.source import without_controls
from koebin.producers.formats.speaker_names import OPTION_NAMES, Cast, Voice, changed
from koebin.tasks.script import LineError

FIELDS: Final = ("id", "custom_id", "text", "speaker", *OPTION_NAMES)
_ID: Final = re.compile(r"[\w][\w.@+-]{0,99}")
_MAX_ID_BYTES: Final = 150


class ItemReader:
    """Adds rows to a builder; a row that cannot be spoken is an error of its own.

    Attributes:
        errors: the rows that cannot, with the reason.
    """

    def __init__(self, builder: ScriptBuilder, cast: Cast) -> None:
        self.errors: list[LineError] = []
        self._builder = builder
        self._cast = cast
        self._seen: dict[str, int] = {}

    def add(self, row: Mapping[str, Any], number: int, written: str = "", default: str = "") -> None:
        """One row.

        Args:
            number: its line, from 1.
            written: the line as it stands in the input, for columns in errors; "" if the row is more than one line.
            default: id of a row that names none; "" takes its line.
        """
        item = default or f"line-{number:06d}"
        try:
            _check_strings(row, number)
            item = _item(row, item, number)
            _check_fields(row, written, number)
            if item in self._seen:
                what = f"the id stands in line {self._seen[item]} already"
                raise InvalidScript(what, item, "Give each line its own id", number)
            self._builder.take(_spoken(row, item, number, written, self._cast))
            self._seen[item] = number
        except InvalidInput as error:
            self.refuse(error, number, item)

    def refuse(self, error: InvalidInput, number: int, item: str = "") -> None:
        """Keep an error with its line."""
        self.errors.append(LineError(number, item or f"line-{number:06d}", _message(error)))


def parse_json(text: str, number: int) -> Any:
    """A JSON value, bounded.

    Raises:
        InvalidScript: not JSON, or nested too deeply, or a number with too many digits.
    """
    if json_depth(text) > limits.JSON_DEPTH:
        raise InvalidScript("not JSON that can be read", text[:80], f"Nest at most {limits.JSON_DEPTH} levels", number)
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise InvalidScript(f"not JSON: {error.msg}", "", "Write one object per line", number, error.colno) from error
    except (RecursionError, ValueError) as error:  # a number of thousands of digits
        raise InvalidScript("not JSON that can be read", text[:80], "", number) from error


def json_depth(text: str) -> int:
    """At least how deeply brackets are nested, those in strings among them."""
    if text.count("[") + text.count("{") <= limits.JSON_DEPTH:
        return 0
    deepest = depth = 0
    inside = escaped = False
    for character in text:
        if inside:
            inside = escaped or character != '"'
            escaped = character == "\\" and not escaped
        elif character == '"':
            inside = True
        elif character in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif character in "]}":
            depth -= 1
    return deepest


def _message(error: InvalidInput) -> str:
    """What is wrong, without the line, which stands beside it."""
    place = f"column {error.column}: " if error.column else ""
    return place + str(type(error)(error.what, error.value, error.hint))


def _check_strings(row: Mapping[str, Any], number: int) -> None:
    """Raises: InvalidText: a string that no file and no message can hold."""
    for each in (*row, *row.values()):
        if isinstance(each, str):
            bad = next((character for character in each if unicodedata.category(character) == "Cs"), "")
            if bad:
                if 0xDC80 <= ord(bad) <= 0xDCFF:  # how ``source`` reads a byte that is not UTF-8
                    raise InvalidText("not UTF-8", f"byte 0x{ord(bad) - 0xDC00:02x}", "Save the text as UTF-8", number)
                what, hint = "half of a surrogate pair", "Save the text as UTF-8 again"
                raise InvalidText(what, f"U+{ord(bad):04X}", hint, number)


def _check_fields(row: Mapping[str, Any], written: str, number: int) -> None:
    for name in row:
        if name not in FIELDS:
            known = ", ".join(nearest(name, FIELDS) or FIELDS)
            column = written.find(json.dumps(name, ensure_ascii=False)) + 1
            raise InvalidScript("unknown field", name, f"Use {known}", number, column)


def _item(row: Mapping[str, Any], default: str, number: int) -> str:
    named = [row[name] for name in ("custom_id", "id") if row.get(name) is not None]
    if not named or named[0] == "":
        return default
    item = str(named[0]) if isinstance(named[0], int) and not isinstance(named[0], bool) else named[0]
    if isinstance(item, str):
        item = unicodedata.normalize("NFC", item)
    if not isinstance(item, str) or not _ID.fullmatch(item) or len(item.encode()) > _MAX_ID_BYTES:
        hint = "Use 1 to 100 letters, digits or . _ - @ + and begin with a letter or a digit"
        raise InvalidScript("an id that cannot name a file", str(named[0]), hint, number)
    return item


def _spoken(row: Mapping[str, Any], item: str, number: int, written: str, cast: Cast) -> ScriptBuilder:
    text = row.get("text")
    if not isinstance(text, str):
        raise InvalidScript(
            "there is no text" if text is None else "text is not a string", "", 'Write "text": "…"', number
        )
    own = ScriptBuilder()
    try:
        text, left_out = without_controls(text)
        check_text(text)
    except InvalidText as error:
        raise InvalidText(error.what, error.value, error.hint, number) from error
    for left in left_out:
        own.leave_out(left.reason, left.text, number, 0, item)
    voice = _voice(row, cast, number)
    column = _column(written, "text")
    reader = MarkupReader(own, cast, item=item)
    for _, part in lines(text):
        reader.paragraph(part, lambda offset: (number, column + offset if column else 0), voice=voice)
    reader.finish()
    return own


def _voice(row: Mapping[str, Any], cast: Cast, number: int) -> Voice:
    speaker = row.get("speaker")
    if speaker is not None and not isinstance(speaker, str):
        raise InvalidScript("speaker is not a string", str(speaker), 'Write "speaker": "mei"', number)
    voice = cast.voice(speaker, number) if speaker else cast.narrator
    options = {name: row[name] for name in OPTION_NAMES if row.get(name) is not None}
    try:
        return Voice(voice.speaker, changed(voice.options, options))
    except InvalidInput as error:
        raise InvalidScript(error.what, error.value, error.hint, number) from error


def _column(written: str, name: str) -> int:
    """Column of the value of a field; 0 if it is not found."""
    found = re.search(rf'"{re.escape(name)}"\s*:\s*"?', written)
    return found.end() + 1 if found else 0
