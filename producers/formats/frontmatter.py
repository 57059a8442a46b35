"""Front matter of a script: TOML between two lines of ``+++`` before its text.

```toml
+++
title = "朝の会話"
author = "声便"
narrator = "mei"                    # or { speaker = "mei", speed = 1.1 }
dictionary = ["names.toml"]         # beside the script
[speakers]
"メイ" = "mei"
"ケン" = { speaker = "ken", style = "Happy" }
[output]
formats = ["mp3"]
+++
```
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, Final

from koebin.engine.checked_names import nearest
from koebin.engine.errors import InvalidMessage, InvalidScript
from koebin.engine.options import SynthesisOptions
from koebin.producers.formats import toml
from koebin.producers.formats.speaker_names import Cast, voice_from
from koebin.tasks.contracts import Output, parse

FENCE: Final = "+++"
_FIELDS: Final = ("title", "author", "series", "volume", "narrator", "dictionary", "speakers", "output")
_PLACE: Final = re.compile(r" ?\(at (?:line ([0-9]+), column ([0-9]+)|end of document)\)")


@dataclass(frozen=True, slots=True)
class FrontMatter:
    """What it says.

    Attributes:
        body: the text after it, with as many empty lines before it as it took, so that line numbers stay.
        dictionaries: files, relative to the script.
    """

    body: str
    cast: Cast
    title: str = ""
    author: str = ""
    series: str = ""
    volume: str = ""
    dictionaries: tuple[str, ...] = ()
    output: Mapping[str, Any] = field(default_factory=dict)


def split_front_matter(text: str, default: Cast) -> FrontMatter:
    """Take the front matter off ``text``; without one, everything is as ``default`` has it.

    Raises:
        InvalidScript: not closed, not TOML, an unknown field or a wrong value, with its line.
    """
    rows = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    if rows[0].rstrip() != FENCE:
        return FrontMatter(text, default)
    end = next((index for index, row in enumerate(rows) if index and row.rstrip() == FENCE), None)
    if end is None:
        raise InvalidScript("the front matter is not closed", FENCE, f"Write {FENCE} after it", 1, 1)
    table = _toml("\n".join(rows[1:end]))
    body = "\n" * (end + 1) + "\n".join(rows[end + 1 :])
    try:
        return _front_matter(table, body, default)
    except InvalidScript as error:
        line = error.line or _line_of(rows[:end], error.value)
        raise InvalidScript(error.what, error.value, error.hint, line, error.column) from error


def _toml(document: str) -> dict[str, Any]:
    try:
        return toml.loads(document)
    except tomllib.TOMLDecodeError as error:
        message = str(error)
        place = _PLACE.search(message)
        line, column = (int(place[1]) + 1, int(place[2])) if place and place[1] else (document.count("\n") + 2, 1)
        what = f"the front matter is not TOML ({_PLACE.sub('', message)})"
        hint = 'Quote texts, and names that are not ASCII: "メイ" = "mei"'
        raise InvalidScript(what, "", hint, line, column) from error
    except toml.TooDeep as error:
        raise InvalidScript("the front matter is nested too deeply", line=1) from error


def _front_matter(table: Mapping[str, Any], body: str, default: Cast) -> FrontMatter:
    for name in table:
        if name not in _FIELDS:
            known = ", ".join(nearest(name, _FIELDS) or _FIELDS)
            raise InvalidScript("the front matter has no such field", name, f"Use {known}")
    narrator = (
        voice_from(table["narrator"], "narrator", SynthesisOptions()) if "narrator" in table else default.narrator
    )
    speakers = _table(table, "speakers")
    names = {name: voice_from(value, f"speaker {name}", narrator.options) for name, value in speakers.items()}
    for name in names:
        if not name.strip() or re.search(r"[:：\s()（）\[\]［］]", name):
            raise InvalidScript("not a name for a speaker", name, "Leave out spaces, colons and brackets")
    return FrontMatter(
        body,
        Cast(narrator, {**default.names, **names}, closed=bool(names)),
        title=_text(table, "title"),
        author=_authors(table),
        series=_text(table, "series"),
        volume=str(table["volume"]) if type(table.get("volume")) is int else _text(table, "volume"),
        dictionaries=tuple(_dictionaries(table.get("dictionary", []))),
        output=_output(table),
    )


def _text(table: Mapping[str, Any], name: str) -> str:
    value = table.get(name, "")
    if not isinstance(value, str) or "\n" in value:
        raise InvalidScript(f"{name} is not a line of text", str(value), f'Write {name} = "…"')
    return value.strip()


def _authors(table: Mapping[str, Any]) -> str:
    """``author = "…"``, or a list of them."""
    value = table.get("author", "")
    if isinstance(value, list) and all(isinstance(each, str) for each in value):
        return "、".join(each.strip() for each in value)
    return _text(table, "author")


def _table(table: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = table.get(name, {})
    if not isinstance(value, Mapping):
        raise InvalidScript(f"{name} is not a table", str(value), f"Write [{name}] and its fields below it")
    return value


def _output(table: Mapping[str, Any]) -> Mapping[str, Any]:
    output = _table(table, "output")
    try:
        parse(Output, output)
    except InvalidMessage as error:
        raise InvalidScript(error.what.replace("Output: ", "output: "), error.value) from error
    return output


def _dictionaries(value: object) -> list[str]:
    names = [value] if isinstance(value, str) else value
    if not isinstance(names, list) or not all(isinstance(name, str) and name for name in names):
        raise InvalidScript("dictionary is not a list of files", str(value), 'Write dictionary = ["names.toml"]')
    for name in names:
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts or "\\" in name or "\0" in name:
            raise InvalidScript("a dictionary lies outside the script's folder", name, "Move it beside the script")
    return names


def dictionary_paths(names: tuple[str, ...], script: Path | None) -> list[Path]:
    """The files themselves; a script that came from no file looks in the current folder."""
    folder = script.parent if script else Path()
    return [folder / name for name in names]


def _line_of(rows: list[str], value: str) -> int:
    """The line that names ``value``; that of the fence if none does."""
    return next((number for number, row in enumerate(rows, start=1) if value and value in row), 1)
