"""Dictionary files: ``.toml``, ``.csv``, ``.json`` and the ``.txt`` of input methods."""

from __future__ import annotations

import csv
import io
import json
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from koebin.engine.errors import InvalidDictionary, InvalidInput
from koebin.engine.text.dictionary import Dictionary, Entry
from koebin.producers.formats import toml
from koebin.producers.formats.dictionary_imports import from_ime_list, from_user_dict, is_ime_list, is_user_dict
from koebin.producers.formats.source import MAX_BYTES, decode

_TYPES: Final = {"surface": str, "reading": str, "accent": int, "priority": int}
_NAMES: Final = {"surface": "surface", "reading": "reading", "accent": "accent", "priority": "priority",
                 "表記": "surface", "読み": "reading", "アクセント": "accent", "優先度": "priority"}  # fmt: skip
_COLUMNS: Final = tuple(_TYPES)
_MECAB_COLUMNS: Final = 13
"""Up to the pronunciation; Open JTalk adds the accent."""
_TABLE: Final = re.compile(r"^[^\S\n]*\[\[\s*word\s*\]\]", re.MULTILINE)


def load_dictionary(path: Path) -> Dictionary:
    """Read one dictionary file.

    Raises:
        InvalidDictionary: not there, of another kind, or a word that cannot be used; with file and line.
    """
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise InvalidDictionary(f"the dictionary cannot be read ({error.strerror})", str(path)) from error
    if len(data) > MAX_BYTES:
        raise InvalidDictionary("the dictionary is too large", str(path), f"Keep it under {MAX_BYTES >> 20} MB")
    try:
        return parse_dictionary(decode(data)[0], path.suffix.lower())
    except InvalidInput as error:
        raise InvalidDictionary(
            f"{path.name}: {error.what}", error.value, error.hint, error.line, error.column
        ) from error


def load_dictionaries(paths: Iterable[Path]) -> Dictionary:
    """Several files as one; where two give the same word, the later file holds.

    Raises:
        InvalidDictionary: see ``load_dictionary``.
    """
    words: dict[str, Entry] = {}
    for path in paths:
        words.update({entry.surface: entry for entry in load_dictionary(path).entries})
    return Dictionary(words.values())


def parse_dictionary(text: str, suffix: str) -> Dictionary:
    """Read a dictionary whose file name ends with ``suffix``.

    TOML: a table ``[words]`` of ``surface = "reading"`` or ``surface = { reading = "…", accent = 1 }``, or one
    ``[[word]]`` per word. CSV: ``surface,reading,accent,priority``, the last two as wished, with or without a first
    line of names; or the rows of a user dictionary of MeCab or Open JTalk. JSON: as ``Dictionary.to_json`` writes it,
    or a user dictionary of VOICEVOX or AivisSpeech. TXT: a list from Microsoft IME, Google Japanese Input or ATOK.

    Raises:
        InvalidDictionary: with line and column where there are some.
    """
    match suffix:
        case ".toml":
            entries = _from_toml(text)
        case ".csv":
            entries = _from_csv(text)
        case ".json":
            return _from_json(text)
        case ".txt" if is_ime_list(text):
            return Dictionary(entry for _, entry in from_ime_list(text))
        case _:
            raise InvalidDictionary(
                "not a kind of dictionary", suffix, "Use .toml, .csv, .json, or the .txt of an input method"
            )
    return _without_twins(entries)


def _from_json(text: str) -> Dictionary:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return Dictionary.from_json(text)  # says what is wrong with it
    if not is_user_dict(document):
        return Dictionary.from_json(text)
    return Dictionary({entry.surface: entry for _, entry in from_user_dict(document)}.values())


def write_dictionary(path: Path, words: Sequence[tuple[str, str, str, int]]) -> None:
    """Write a TOML dictionary of words to be mended.

    Args:
        words: surface, reading, comment, and how often the word occurs.

    Raises:
        InvalidDictionary: the file cannot be written.
    """
    lines = [
        "# Doubtful words, the most frequent first. Mend the readings, and delete the lines that are right.",
        "[words]",
    ]
    for surface, reading, comment, count in words:
        note = f"{count} x" + (f", {comment}" if comment else "")
        lines.append(f"{json.dumps(surface, ensure_ascii=False)} = {json.dumps(reading, ensure_ascii=False)}  # {note}")
    try:
        path.write_text("\n".join(lines) + "\n", "utf-8")
    except OSError as error:
        raise InvalidDictionary(f"the dictionary cannot be written ({error.strerror})", str(path)) from error


def _without_twins(entries: Iterator[tuple[int, Entry]]) -> Dictionary:
    lines: dict[str, int] = {}
    words: list[Entry] = []
    for line, entry in entries:
        if entry.surface in lines:
            place = f"the word stands in line {lines[entry.surface]} already"
            raise InvalidDictionary(place, entry.surface, "Keep one of its readings", line)
        lines[entry.surface] = line
        words.append(entry)
    return Dictionary(words)


def _from_toml(text: str) -> Iterator[tuple[int, Entry]]:
    try:
        table = toml.loads(text)
    except tomllib.TOMLDecodeError as error:
        place = re.search(r" ?\(at line ([0-9]+), column ([0-9]+)\)", str(error))
        line, column = (int(place[1]), int(place[2])) if place else (text.count("\n") + 1, 1)
        what = re.sub(r" ?\(at .*\)$", "", str(error))
        raise InvalidDictionary(f"not TOML: {what}", "", "Quote every word and reading", line, column) from error
    except toml.TooDeep as error:
        raise InvalidDictionary("nested too deeply") from error
    unknown = sorted(set(table) - {"words", "word"})
    if unknown or not table:
        raise InvalidDictionary(
            "no words" if not unknown else "an unknown table",
            ", ".join(unknown),
            "Write [words] and the words below it",
        )
    yield from _table_of_words(text, table.get("words", {}))
    yield from _list_of_words(text, table.get("word", []))


def _table_of_words(text: str, words: object) -> Iterator[tuple[int, Entry]]:
    if not isinstance(words, Mapping):
        raise InvalidDictionary("words is not a table", str(words), "Write [words] and the words below it")
    lines: dict[str, int] = {}
    for number, row in enumerate(text.split("\n"), start=1):
        lines.setdefault(row.partition("=")[0].strip().strip("\"'"), number)
    for surface, value in words.items():
        line = lines.get(surface, 0)
        fields = {"reading": value} if isinstance(value, str) else value
        if not isinstance(fields, Mapping):
            raise InvalidDictionary("a word without a reading", surface, 'Write word = "kana"', line)
        yield line, _entry({"surface": surface, **fields}, line)


def _list_of_words(text: str, words: object) -> Iterator[tuple[int, Entry]]:
    if not isinstance(words, list) or not all(isinstance(word, Mapping) for word in words):
        raise InvalidDictionary("word is not a list of tables", str(words), "Write [[word]] before every word")
    starts = [text.count("\n", 0, match.start()) + 1 for match in _TABLE.finditer(text)]
    for number, word in enumerate(words):
        line = starts[number] if len(starts) == len(words) else 0
        yield line, _entry(word, line)


def _from_csv(text: str) -> Iterator[tuple[int, Entry]]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    columns: tuple[str, ...] = ()
    try:
        for cells in reader:
            row = [cell.strip() for cell in cells]
            if not any(row) or row[0].startswith("#"):
                continue
            if not columns and len(row) >= _MECAB_COLUMNS:
                yield reader.line_num, _entry(_numbers(_of_mecab(row), reader.line_num), reader.line_num)
                continue
            if not columns:
                columns = _header(row, reader.line_num)
                if columns:
                    continue
                columns = _COLUMNS
            if len(row) > len(columns):
                raise InvalidDictionary("too many columns", ",".join(row), f"Use {','.join(columns)}", reader.line_num)
            fields = {name: cell for name, cell in zip(columns, row, strict=False) if cell}
            yield reader.line_num, _entry(_numbers(fields, reader.line_num), reader.line_num)
    except csv.Error as error:
        raise InvalidDictionary(f"not CSV: {error}", "", "Check the quotation marks", reader.line_num) from error


def _of_mecab(row: list[str]) -> dict[str, str]:
    """``surface,left,right,cost,6 of grammar,base form,reading,pronunciation[,accent/morae,rule]``."""
    accent = row[_MECAB_COLUMNS].partition("/")[0] if len(row) > _MECAB_COLUMNS else "*"
    fields = {"surface": row[0], "reading": row[_MECAB_COLUMNS - 1]}
    return fields if accent == "*" else {**fields, "accent": accent}


def _header(row: list[str], line: int) -> tuple[str, ...]:
    """The names of the columns if the row gives them."""
    if row[0].lower() not in _NAMES and (len(row) < 2 or row[1].lower() not in _NAMES):
        return ()
    unknown = [name for name in row if name.lower() not in _NAMES]
    if unknown:
        raise InvalidDictionary("an unknown column", unknown[0], f"Use {','.join(_COLUMNS)}", line)
    return tuple(_NAMES[name.lower()] for name in row)


def _numbers(fields: Mapping[str, str], line: int) -> dict[str, Any]:
    found: dict[str, Any] = dict(fields)
    for name in ("accent", "priority"):
        if name in found:
            if not re.fullmatch("[0-9]{1,4}", found[name]):
                raise InvalidDictionary(f"{name} is not a number", found[name], "Use 0 or more", line)
            found[name] = int(found[name])
    return found


def _entry(fields: Mapping[str, Any], line: int) -> Entry:
    for name, value in fields.items():
        if name not in _TYPES:
            raise InvalidDictionary("a word has an unknown field", name, f"Use {', '.join(_TYPES)}", line)
        if type(value) is not _TYPES[name]:
            raise InvalidDictionary(f"{name} has the wrong type", str(value), f"Use {_TYPES[name].__name__}", line)
    missing = [name for name in ("surface", "reading") if name not in fields]
    if missing:
        raise InvalidDictionary(f"a word has no {missing[0]}", str(fields.get("surface", "")), "Give its kana", line)
    try:
        return Entry(**fields)
    except InvalidInput as error:
        raise InvalidDictionary(error.what, error.value, error.hint, line) from error
