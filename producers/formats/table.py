"""Line lists as CSV and TSV, as spreadsheets write them."""

from __future__ import annotations

import csv
import io
import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from koebin.engine import limits
from koebin.engine.errors import InvalidScript
from koebin.producers.formats.items import FIELDS, ItemReader
from koebin.producers.formats.script_builder import ScriptBuilder
from koebin.producers.formats.speaker_names import Cast
from koebin.tasks.script import LineError

log = logging.getLogger(__name__)

_CALLED: Final[Mapping[str, str]] = {
    "text": "テキスト 本文 台詞 セリフ せりふ 文章 文 原稿 読み上げ script line sentence",
    "id": "番号 名前 ファイル名 no no. number name file filename key",
    "speaker": "話者 声 キャラ キャラクター 配役 voice character actor",
    "style": "スタイル 感情 emotion",
    "speed": "速さ 話速 速度 rate",
    "pitch": "高さ",
    "volume": "音量",
    "intonation": "抑揚",
}
"""Names of columns in people's own tables."""
_NAMES: Final[Mapping[str, str]] = {
    **{name: name for name in FIELDS},
    **{called: name for name, names in _CALLED.items() for called in names.split()},
}
_SHOWN: Final = 20
_WHOLE: Final = frozenset(("seed", "take"))
_WORDS: Final = frozenset(("id", "custom_id", "text", "speaker", "style"))


def read_table(text: str, builder: ScriptBuilder, cast: Cast, delimiter: str = "") -> list[LineError]:
    """Add every row that can be spoken.

    The first row names the columns; without one there is only the text, or id and text.

    Args:
        delimiter: "" takes the one that the first row shows.

    Returns:
        The rows that cannot be spoken, with the reason.

    Raises:
        InvalidScript: not a table, or one without a column of texts.
    """
    first, _, rest = text.partition("\n")
    skipped = 0
    if named := re.fullmatch(r"sep=(.)\s*", first):  # a hint that spreadsheets write
        text, delimiter, skipped = rest, named[1], 1
    delimiter = delimiter or _delimiter(text.partition("\n")[0])
    reader = ItemReader(builder, cast)
    columns: Sequence[str] = ()
    for number, cells in _rows(text, delimiter, skipped):
        if not columns:
            columns, is_header = _columns(cells, number)
            if is_header:
                continue
        reader.add(_fields(columns, cells), number)
    if not columns:
        raise InvalidScript("the table has no rows", hint="Give at least one text")
    return reader.errors


def names_columns(cells: Sequence[str]) -> bool:
    """Whether a row does nothing but name columns, one of them that of the texts."""
    names = [_NAMES.get(cell.strip().strip('"').lower(), "") for cell in cells]
    return len(names) > 1 and all(names) and names.count("text") == 1


def _rows(text: str, delimiter: str, skipped: int) -> Iterator[tuple[int, list[str]]]:
    """Rows that hold something, each with its first line."""
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=False)
    count, line = 0, 1 + skipped
    try:
        for cells in rows:
            if any(cell.strip() for cell in cells):
                count += 1
                if count > limits.TABLE_ROWS:
                    raise InvalidScript(f"a table of more than {limits.TABLE_ROWS} rows", "", "Split it", line)
                if max(map(len, cells)) > limits.TABLE_CELL_CHARS:
                    raise InvalidScript(
                        f"a cell of more than {limits.TABLE_CELL_CHARS} characters", "", "Split it", line
                    )
                yield line, [cell.strip() for cell in cells]
            line = rows.line_num + 1 + skipped
    except csv.Error as error:
        raise InvalidScript(f"not a table: {error}", "", "Check the quotation marks", line) from error


def _delimiter(row: str) -> str:
    bare = re.sub(r'"[^"]*"', "", row)
    return max((",", "\t", ";"), key=bare.count)


def _columns(cells: Sequence[str], line: int) -> tuple[Sequence[str], bool]:
    """The fields of the columns, and whether this row is the one that names them."""
    names = [_NAMES.get(cell.strip().lower(), "") for cell in cells]
    if "text" in names:
        unread = [cell for cell, name in zip(cells, names, strict=True) if cell and not name]
        if unread:
            log.warning("columns that are not read: %s", ", ".join(unread[:_SHOWN]))
        for name in filter(None, names):
            if names.count(name) > 1:
                raise InvalidScript("two columns have one name", name, "Keep one of them", line)
        return names, True
    if len(cells) == 1:
        return ("text",), False
    if len(cells) == 2 and re.fullmatch(r"[\w.@+-]{1,100}", cells[0]) and cells[0].isascii():
        return ("id", "text"), False
    raise InvalidScript(
        "no row names the columns", ",".join(cells)[:80], "Begin with a row such as id,text,speaker", line
    )


def _fields(columns: Sequence[str], cells: Sequence[str]) -> dict[str, Any]:
    """The cells that hold something, numbers as numbers where they are."""
    fields: dict[str, Any] = {}
    for name, cell in zip(columns, cells, strict=False):
        if not name or (not cell and name != "text"):
            continue
        fields[name] = cell if name in _WORDS else _number(cell, whole=name in _WHOLE)
    return fields


def _number(cell: str, *, whole: bool) -> float | int | str:
    try:
        return int(cell) if whole else float(cell)
    except ValueError:
        return cell
